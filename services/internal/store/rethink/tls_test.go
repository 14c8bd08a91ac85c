package rethink_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/rethink"
	"github.com/tuttihq/tutti/services/internal/store/rethink/rethinktest"
)

// With a CA the store speaks TLS, and only to servers that the CA has signed for.
func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	stranger, _ := certificate(t)
	server := rethinktest.Start(t, "--driver-tls-cert", cert, "--driver-tls-key", key)
	config := rethink.Config{Addresses: []string{server.Addr()}, Database: "tutti", Create: true, CA: cert}
	s := open(t, config, rooms)
	put(t, s, "r1", 1)
	m := watch(t, s)
	put(t, s, "r1", 2)
	m.untilPresent(t, s)
	config.Patience = 300 * time.Millisecond
	for name, ca := range map[string]string{"of a stranger": stranger, "none": ""} {
		config.CA = ca
		if _, err := rethink.Open(t.Context(), config, []store.Table{rooms}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("with the CA %s: %v", name, err)
		}
	}
}

// certificate makes a certificate for this machine, signed by itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
}
