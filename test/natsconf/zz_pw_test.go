package natsconf

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"testing"

	"github.com/nats-io/nats-server/v2/conf"
)

func TestPw(t *testing.T) {
	bad := 0
	for i := 0; i < 20000; i++ {
		b := make([]byte, 20)
		rand.Read(b)
		v := hex.EncodeToString(b)
		os.Setenv("PWX", v)
		m, err := conf.Parse("a: $PWX")
		if err != nil || m["a"] != v {
			bad++
			if bad < 6 { fmt.Println(v, m["a"], err) }
		}
	}
	fmt.Println("bad", bad)
	for _, v := range []string{"123456", "12k", "-x", "a,b", "'$2a$11$abc'", "a#b", "a b"} {
		os.Setenv("PWX", v)
		m, err := conf.Parse("a: $PWX")
		fmt.Println(v, m["a"], err)
	}
}
