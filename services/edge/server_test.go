package edge

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

func start(t testing.TB, w *world, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg, w.deps())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client is a client whose connections end with the test.
func httpClient(t testing.TB) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func read(t testing.TB, res *http.Response, err error) reply {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, body}
}

// raw sends bytes over a connection of their own and reads one answer.
func raw(t testing.TB, s *Server, text string) reply {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, text) }()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	return read(t, res, err)
}

func TestARealConnection(t *testing.T) {
	w := newWorld()
	s := start(t, w, unlimited())
	client := httpClient(t)
	res, err := client.Get(s.URL() + "/v1/rooms/" + open)
	if r := read(t, res, err); r.status != 200 || !strings.Contains(string(r.body), `"rev":5`) {
		t.Fatalf("got %v", r)
	}
	res, err = client.Head(s.URL() + "/media/demo/aurora.wav")
	if r := read(t, res, err); r.status != 200 || len(r.body) != 0 || r.header.Get("Content-Length") != "1000" || res.Header.Get("Date") == "" {
		t.Fatalf("got %v %v", r, r.header)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/media/demo/aurora.wav", http.NoBody)
	req.Header.Set("Range", "bytes=10-12")
	res, err = client.Do(req)
	if r := read(t, res, err); r.status != 206 || string(r.body) != "012" || r.header.Get("Content-Length") != "3" {
		t.Fatalf("got %v %v", r, r.header)
	}
	res, err = client.Post(s.URL()+"/v1/auth/login", "application/json", strings.NewReader(`{"email":1}`))
	if p := read(t, res, err).problem(t); p.Field != "email" {
		t.Fatalf("got %+v", p)
	}
}

func TestWhatIsTooLargeOrNoRequestIsAProblemToo(t *testing.T) {
	w := newWorld()
	s := start(t, w, unlimited())
	post := "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
		code   subjects.Code
	}{
		"body":         {post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 1<<20, strings.Repeat("x", 1<<20)), 413, subjects.CodeTooLarge},
		"said body":    {post + "Content-Length: 99999999999\r\n\r\n", 413, subjects.CodeTooLarge},
		"chunked body": {post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("8000\r\n"+strings.Repeat("x", 0x8000)+"\r\n", 32) + "0\r\n\r\n", 413, subjects.CodeTooLarge},
		"header":       {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", 431, subjects.CodeTooLarge},
		"address":      {"GET /" + strings.Repeat("x", 32<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, subjects.CodeTooLarge},
		"garbage":      {"\x00\x01\x02\xff\r\n\r\n", 400, subjects.CodeInvalid},
		"bad length":   {post + "Content-Length: -1\r\n\r\n", 400, subjects.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if p := raw(t, s, c.text).problem(t); p.Status != c.status || p.Code != c.code {
				t.Fatalf("got %+v", p)
			}
		})
	}
	// The largest command fits.
	tracks := `["` + strings.Repeat("x", 600) + strings.Repeat(`","`+strings.Repeat("x", 600), 99) + `"]`
	r := s.do(t, call{method: "POST", path: commandsPath(open), as: bob, body: `{"verb":"suggest","body":{"tracks":` + tracks + `}}`})
	if r.status != 200 {
		t.Fatalf("got %v", r)
	}
}

func TestASlowSenderIsCutOff(t *testing.T) {
	w := newWorld()
	cfg := unlimited()
	cfg.ReadTimeout = 300 * time.Millisecond
	cfg.IdleTimeout = 300 * time.Millisecond
	s := start(t, w, cfg)
	for name, begin := range map[string]string{
		"silent":  "",
		"headers": "GET /healthz HTTP/1.1\r\nHost: x\r\n",
		"body":    "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		"idle":    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, begin); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			var drip sync.WaitGroup
			if name != "silent" && name != "idle" {
				drip.Go(func() { // a byte now and then does not buy time
					for {
						select {
						case <-stop:
							return
						case <-time.After(50 * time.Millisecond):
							_, _ = io.WriteString(c, "a")
						}
					}
				})
			}
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			got, err := io.ReadAll(c)
			close(stop)
			drip.Wait()
			var netErr net.Error
			if errors.As(err, &netErr) && netErr.Timeout() {
				t.Fatal("the connection is still open")
			}
			if name != "silent" && name != "idle" && !strings.HasPrefix(string(got), "HTTP/1.1 408 ") {
				t.Fatalf("got %q", got)
			}
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w := newWorld()
	cfg := unlimited()
	cfg.MaxConnections = 3
	s := start(t, w, cfg)
	for range 3 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	if r := raw(t, s, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); r.status != 503 {
		t.Fatalf("got %v", r)
	}
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	w := newWorld()
	begun, finish := make(chan struct{}), make(chan struct{})
	w.ask = func(context.Context, subjects.Command, subjects.Envelope) (subjects.Answer, error) {
		close(begun)
		<-finish
		return subjects.Answer{Rev: 9}, nil
	}
	s, err := Start(t.Context(), unlimited(), w.deps())
	if err != nil {
		t.Fatal(err)
	}
	client := httpClient(t)
	// An idle connection does not hold it up.
	res, err := client.Get(s.URL() + "/healthz")
	read(t, res, err)
	var got reply
	var wg sync.WaitGroup
	wg.Go(func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+commandsPath(open), strings.NewReader(`{"verb":"join"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer token-of-"+bob)
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		got = read(t, res, err)
	})
	<-begun
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	<-s.Done() // no connection is accepted any more
	// The system may still have completed a connection that nobody took; nobody answers it.
	if c, err := net.DialTimeout("tcp", s.Addr().String(), time.Second); err == nil {
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if n, _ := c.Read(make([]byte, 1)); n > 0 {
			t.Error("a request is answered on a connection made after the shutdown began")
		}
		c.Close()
	}
	select {
	case err := <-down:
		t.Errorf("shut down before the request was finished: %v", err)
	case <-time.After(150 * time.Millisecond):
	}
	close(finish)
	wg.Wait()
	if err := <-down; err != nil || got.status != 200 || !strings.Contains(string(got.body), `"rev":9`) {
		t.Fatalf("%v, got %v", err, got)
	}
	if err := s.Shutdown(t.Context()); err != nil || s.Err() != nil {
		t.Fatalf("again: %v, %v", err, s.Err())
	}
}

func TestShutdownIsBounded(t *testing.T) {
	w := newWorld()
	begun := make(chan struct{})
	ended := make(chan struct{})
	w.ask = func(ctx context.Context, _ subjects.Command, _ subjects.Envelope) (subjects.Answer, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return subjects.Answer{}, ctx.Err()
	}
	s, err := Start(t.Context(), unlimited(), w.deps())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-%s\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"verb\":\"join\"}", commandsPath(open), bob)
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	select {
	case <-ended:
	default:
		t.Fatal("a handler runs on")
	}
}

// flaky fails to accept some times before it does.
type flaky struct {
	net.Listener
	fail int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.fail--; f.fail >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

func TestAShortageOfDescriptorsDoesNotCloseTheDoor(t *testing.T) {
	w := newWorld()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(&flaky{Listener: l, fail: 3}, w.deps().Log)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, err := d.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if in.Close() != nil || len(d.conns) != 0 {
		t.Fatal("the connection is remembered after it was closed")
	}
	d.Listener = &flaky{Listener: l, fail: 1 << 30}
	ended := make(chan error, 1)
	go func() {
		_, err := d.Accept()
		ended <- err
	}()
	d.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Fatalf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := unlimited()
	cfg.CertFile, cfg.KeyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cfg.CertFile: {Type: "CERTIFICATE", Bytes: der}, cfg.KeyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld()
	s := start(t, w, cfg)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	client := httpClient(t)
	tr, _ := client.Transport.(*http.Transport)
	tr.TLSClientConfig = &tls.Config{RootCAs: pool}
	if !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
		t.Fatalf("URL %s", s.URL())
	}
	res, err := client.Get(s.URL() + "/healthz")
	if r := read(t, res, err); r.status != 200 || r.header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("got %v %v", r, r.header)
	}
	res, err = client.Post(s.URL()+"/v1/auth/login", "application/json", strings.NewReader(strings.Repeat("x", 1<<20)))
	if p := read(t, res, err).problem(t); p.Status != 413 {
		t.Fatalf("got %+v", p)
	}
	cfg.KeyFile = cfg.CertFile
	if _, err := Start(t.Context(), cfg, w.deps()); err == nil {
		t.Fatal("a key that is none is taken")
	}
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	w := newWorld()
	s := start(t, w, unlimited())
	cfg := unlimited()
	cfg.Listen = s.Addr().String()
	if _, err := Start(t.Context(), cfg, w.deps()); err == nil || !strings.Contains(err.Error(), cfg.Listen) || !strings.Contains(err.Error(), "edge.listen") {
		t.Fatalf("got %v", err)
	}
}
