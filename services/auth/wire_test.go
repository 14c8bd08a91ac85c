package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/tuttihq/tutti/services/auth"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/services/internal/store/sqlite"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// journal collects what is logged.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

type deployment struct {
	bus   *bus.Bus
	store store.Store
	log   *slog.Logger
	said  *journal
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{said: &journal{}}
	d.log = slog.New(slog.NewJSONHandler(d.said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	cfg := bus.Defaults()
	cfg.DataDir = t.TempDir()
	if d.bus, err = bus.Start(t.Context(), cfg, nil, d.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		d.bus.Close(ctx)
	})
	if d.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "documents.db"), auth.Tables()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() })
	return d
}

func (d *deployment) start(t *testing.T) *auth.Service {
	t.Helper()
	cfg := auth.Defaults()
	cfg.Cost = bcrypt.MinCost
	s, err := auth.Start(t.Context(), auth.Deps{Bus: d.bus, Store: d.store, Log: d.log, Now: d.bus.Clock().Now, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func ask[T any](t *testing.T, d *deployment, endpoint string, req any) (T, error) {
	t.Helper()
	var out T
	err := d.bus.Query(t.Context(), subjects.ServiceAuth, endpoint, req, &out)
	return out, err
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var anna = subjects.RegisterRequest{Email: "anna@example.org", Nickname: "Anna", Password: "correct horse"}

func TestALifeOverTheBusAndAcrossARestart(t *testing.T) {
	d := deploy(t)
	s := d.start(t)
	v := must[*token.Verifier](t)(token.NewVerifier(token.Options{
		Issuer: "tutti", Audience: "tutti", Now: d.bus.Clock().Now,
		Fetch: func(ctx context.Context) (set subjects.KeySet, err error) {
			err = d.bus.Query(ctx, subjects.ServiceAuth, subjects.AuthKeys, struct{}{}, &set)
			return set, err
		},
	}))
	grant := must[subjects.Grant](t)
	g := grant(ask[subjects.Grant](t, d, subjects.AuthRegister, anna))
	if p, err := v.Verify(t.Context(), g.AccessToken.Reveal()); err != nil || p.UserID != g.User.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err := ask[subjects.Grant](t, d, subjects.AuthRegister, anna)
	if subjects.CodeOf(err) != subjects.CodeEmailTaken {
		t.Fatal(err)
	}
	s.Stop()
	s.Stop()
	if _, err := v.Verify(t.Context(), g.AccessToken.Reveal()); err != nil {
		t.Fatalf("the edge verifies alone: %v", err)
	}
	d.start(t)
	next := grant(ask[subjects.Grant](t, d, subjects.AuthRefresh, subjects.RefreshRequest{RefreshToken: g.RefreshToken}))
	if p, err := v.Verify(t.Context(), next.AccessToken.Reveal()); err != nil || p.UserID != g.User.ID {
		t.Fatalf("the keys are the same after a restart: %+v, %v", p, err)
	}
	_, err = ask[subjects.Grant](t, d, subjects.AuthRefresh, subjects.RefreshRequest{RefreshToken: g.RefreshToken})
	if subjects.CodeOf(err) != subjects.CodeTokenReused {
		t.Fatal(err)
	}
	in := grant(ask[subjects.Grant](t, d, subjects.AuthLogin, subjects.LoginRequest{Email: anna.Email, Password: anna.Password}))
	if val := must[subjects.Validation](t)(ask[subjects.Validation](t, d, subjects.AuthValidate, subjects.ValidateRequest{AccessToken: in.AccessToken})); !val.Active {
		t.Fatalf("%+v", val)
	}
	if out := must[subjects.LogoutAllAnswer](t)(ask[subjects.LogoutAllAnswer](t, d, subjects.AuthLogoutAll, subjects.LogoutAllRequest{AccessToken: in.AccessToken})); out.Sessions != 1 {
		t.Fatalf("%+v", out)
	}
	if val := must[subjects.Validation](t)(ask[subjects.Validation](t, d, subjects.AuthValidate, subjects.ValidateRequest{AccessToken: in.AccessToken})); val.Active {
		t.Fatalf("%+v", val)
	}
}

func TestGarbageAtEveryEndpointIsRefused(t *testing.T) {
	d := deploy(t)
	d.start(t)
	for _, endpoint := range []string{
		subjects.AuthRegister, subjects.AuthLogin, subjects.AuthRefresh, subjects.AuthLogout, subjects.AuthLogoutAll, subjects.AuthValidate, subjects.AuthKeys,
	} {
		for _, req := range []any{
			nil, 7, []int{1}, "text", map[string]any{"email": 7, "password": []string{"correct horse"}}, map[string]any{"refresh_token": nil, "access_token": "\x00"},
			map[string]string{"email": strings.Repeat("a", 20<<10)},
		} {
			_, err := ask[json.RawMessage](t, d, endpoint, req)
			if code := subjects.CodeOf(err); err != nil && (code == subjects.CodeInternal || !code.Final()) {
				t.Errorf("%s of %.40v: %v", endpoint, req, err)
			}
		}
	}
	if _, err := ask[subjects.Grant](t, d, subjects.AuthRegister, anna); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(d.said.String(), "panicked") {
		t.Fatal(d.said)
	}
}

func TestSecretsStayOutOfFeedsStreamsAndLogs(t *testing.T) {
	d := deploy(t)
	d.start(t)
	grant := must[subjects.Grant](t)
	g := grant(ask[subjects.Grant](t, d, subjects.AuthRegister, anna))
	next := grant(ask[subjects.Grant](t, d, subjects.AuthRefresh, subjects.RefreshRequest{RefreshToken: g.RefreshToken}))
	_, _ = ask[subjects.Grant](t, d, subjects.AuthRefresh, subjects.RefreshRequest{RefreshToken: g.RefreshToken})
	_, _ = ask[subjects.Grant](t, d, subjects.AuthLogin, subjects.LoginRequest{Email: anna.Email, Password: "a wrong horse"})
	_, _ = ask[subjects.Grant](t, d, subjects.AuthRegister, map[string]any{"password": 7})
	secrets := []string{
		anna.Password.Reveal(), "a wrong horse", "$2a$", "passwordHash", "secretHash", "seed", "email", anna.Email,
	}
	for _, one := range []subjects.Grant{g, next} {
		for _, tok := range []subjects.Secret{one.AccessToken, one.RefreshToken} {
			parts := strings.Split(tok.Reveal(), ".")
			secrets = append(secrets, tok.Reveal(), parts[len(parts)-1])
		}
	}
	clean := func(where, text string) {
		t.Helper()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q: %s", where, secret, text)
			}
		}
	}
	// What a feed may publish of every table.
	for _, table := range auth.Tables() {
		for doc, err := range store.All(t.Context(), d.store, table.Name, store.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			body, ok := auth.PublicAccount(doc)
			if ok != (table.Name == subjects.TableAccounts) {
				t.Errorf("a document of %s is published: %t", table.Name, ok)
			}
			if !ok {
				continue
			}
			v := bus.StateVersion{Epoch: doc.Version.Epoch, Fold: doc.Version.Fold, Rev: doc.Version.Rev}
			if err := d.bus.PutState(t.Context(), bus.Document{Table: table.Name, ID: doc.ID, Version: v, Body: body}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var published int
	for _, stream := range []string{subjects.StreamState, subjects.StreamSnapshots, subjects.StreamDLQ} {
		err := d.bus.Read(t.Context(), stream, ">", 1, func(e bus.Entry) error {
			published++
			clean(e.Subject, string(e.Data))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if published != 1 {
		t.Fatalf("%d messages are in streams", published)
	}
	// Whoever logs a request or an answer by mistake.
	for _, v := range []any{
		anna, &anna, g, &g, g.User, g.RefreshToken, subjects.LoginRequest{Email: anna.Email, Password: anna.Password},
		subjects.RefreshRequest{RefreshToken: g.RefreshToken}, subjects.LogoutRequest{RefreshToken: g.RefreshToken},
		subjects.LogoutAllRequest{AccessToken: g.AccessToken}, subjects.ValidateRequest{AccessToken: g.AccessToken},
	} {
		d.log.Info("by mistake", "value", v)
		shown := fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v)
		for _, secret := range secrets {
			if !strings.Contains(strings.ToLower(secret), "email") && secret != anna.Email && strings.Contains(shown, secret) {
				t.Errorf("fmt shows %q: %s", secret, shown)
			}
		}
	}
	clean("the log", d.said.String())
	if !strings.Contains(d.said.String(), g.User.ID) {
		t.Error("the log says who registered")
	}
}

func TestThePublicAccountIsOptedInFieldByField(t *testing.T) {
	body := json.RawMessage(`{"email":"a@b.c","nickname":"Anna","passwordHash":"x","createdAt":7,"more":"later"}`)
	got, ok := auth.PublicAccount(store.Document{ID: "user_1", Version: store.Version{Rev: 1}, Body: body})
	if !ok || string(got) != `{"id":"user_1","nickname":"Anna","createdAt":7}` {
		t.Fatalf("%s, %t", got, ok)
	}
	for _, doc := range []store.Document{{ID: "user_1", Deleted: true}, {ID: "user_1", Body: json.RawMessage(`[]`)}} {
		if got, ok := auth.PublicAccount(doc); ok {
			t.Fatalf("%s", got)
		}
	}
}
