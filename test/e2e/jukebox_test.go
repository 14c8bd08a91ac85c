package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// jukebox serves silent WAV files of any length on this machine, for rooms whose tracks
// shall end while a test looks on. The program must be allowed to fetch them:
const allowJukebox = "CATALOG__URL__ALLOW_PRIVATE=true"

type jukebox struct{ url string }

func newJukebox(t *testing.T) jukebox {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), ".wav")
		ms, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "audio/wav")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(silence(ms)))
	}))
	t.Cleanup(s.Close)
	return jukebox{s.URL}
}

// track is the address of a file of that length.
func (j jukebox) track(name string, length time.Duration) string {
	return fmt.Sprintf("%s/%s-%d.wav", j.url, name, length.Milliseconds())
}

// silence is a WAV file: 8 bits, 8,000 samples a second, one channel.
func silence(ms int) []byte {
	data := bytes.Repeat([]byte{0x80}, 8*ms)
	var b bytes.Buffer
	for _, v := range []any{
		[]byte("RIFF"), uint32(36 + len(data)), []byte("WAVEfmt "), uint32(16),
		uint16(1), uint16(1), uint32(8000), uint32(8000), uint16(1), uint16(8),
		[]byte("data"), uint32(len(data)), data,
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes all
	}
	return b.Bytes()
}
