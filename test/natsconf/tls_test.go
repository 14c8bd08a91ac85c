package natsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// papers are the PEM files of a certificate, its key, and who signed it.
type papers struct{ cert, key, ca string }

// sign makes an authority and a certificate for this machine, good for both sides.
func sign(t *testing.T) papers {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(t, name, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, "key", err)
		return k
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, ownKey := key(), key()
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(t, "authority", err)
	own := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	ownDER, err := x509.CreateCertificate(rand.Reader, own, ca, &ownKey.PublicKey, caKey)
	must(t, "certificate", err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(ownKey)
	must(t, "key", err)
	p := papers{
		cert: write("cert.pem", "CERTIFICATE", ownDER), key: write("key.pem", "PRIVATE KEY", keyDER), ca: write("ca.pem", "CERTIFICATE", caDER),
	}
	t.Setenv("TUTTI_NATS_CERT", p.cert)
	t.Setenv("TUTTI_NATS_KEY", p.key)
	t.Setenv("TUTTI_NATS_CA", p.ca)
	return p
}

// encrypted is a server's address for clients that speak TLS.
func encrypted(s *server.Server) string {
	return strings.Replace(s.ClientURL(), "nats://", "tls://", 1)
}

// Over TLS the system runs as it does without, and nobody gets in who does not speak it,
// speaks an old one, or would be spoken to by anybody.
func TestTLS(t *testing.T) {
	p := sign(t)
	t.Setenv("TUTTI_NATS_LISTEN", "127.0.0.1:-1")
	s := serve(t, read(t, "deploy/nats/tls.conf"))
	user := nats.UserInfo("admin", users["admin"])
	for what, opts := range map[string][]nats.Option{
		"without its authority": {user, nats.Secure()},
		"with TLS 1.2":          {user, nats.Secure(&tls.Config{MaxVersion: tls.VersionTLS12}), nats.RootCAs(p.ca)},
		"without a password":    {nats.RootCAs(p.ca)},
	} {
		if nc, err := nats.Connect(encrypted(s), opts...); err == nil {
			nc.Close()
			t.Error("connected", what)
		}
	}
	if plain, err := net.Dial("tcp", s.Addr().String()); err != nil {
		t.Error(err)
	} else {
		buf := make([]byte, 4096)
		n, _ := plain.Read(buf) // the server says first who it is
		if !strings.Contains(string(buf[:n]), `"tls_required":true`) {
			t.Errorf("the server does not ask for TLS: %s", buf[:n])
		}
		must(t, "close", plain.Close())
	}

	cfg := settings(t, encrypted(s), "services")
	cfg.NATS.CA = p.ca
	migrate(t, cfg)
	sys, stop := start(t, cfg)
	begin(t, sys.HTTP)
	stop()
}
