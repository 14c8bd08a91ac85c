package services_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

func state(t *testing.T, cfg services.Config) map[string]string {
	t.Helper()
	out, err := services.State(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lose removes the documents of a stopped deployment.
func lose(t *testing.T, cfg services.Config) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cfg.Data, "documents.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// What was published after an export does not stand in the way of what comes after its
// documents were restored: later versions, and what the export has not.
func TestWhatComesAfterARestoreShows(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	alone := filepath.Join(t.TempDir(), "documents.tar")
	if _, err := services.Export(t.Context(), b.cfg, services.ExportOptions{To: alone, DocumentsOnly: true}, quiet); err != nil {
		t.Fatal(err)
	}
	login := func(s *services.System, name string) string {
		g := call(t, "POST", s.HTTP+"/v1/auth/login", "", `{"email":"`+name+`@example.org","password":"correct horse"}`, 200)
		token, _ := g["access_token"].(string)
		return token
	}
	called := func(s *services.System, token, id, want string) {
		t.Helper()
		until(t, "somebody is called "+want, func() bool {
			return call(t, "GET", s.HTTP+"/v1/users/"+id, token, "", 200)["nickname"] == want
		})
	}
	stated := func(s *services.System, subject, part string) {
		t.Helper()
		until(t, subject+" holds "+part, func() bool {
			is, err := s.Stated(t.Context(), subject)
			return err == nil && strings.Contains(is, part)
		})
	}
	s, err := services.Start(t.Context(), b.cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ada, bob := login(s, "ada"), login(s, "bob")
	for i := range 3 {
		name := fmt.Sprintf("Later %d", i)
		call(t, "PUT", s.HTTP+"/v1/me/nickname", bob, `{"nickname":"`+name+`"}`, 200)
		called(s, bob, b.bob, name)
	}
	call(t, "PUT", s.HTTP+"/v1/users/"+b.bob+"/follow", ada, "", 200)
	ghost, carol := person(t, s, "carol")
	until(t, "carol has a profile", func() bool { return status(t, s.HTTP+"/v1/users/"+ghost, carol) == 200 })
	account, profile := subjects.State(subjects.TableAccounts, b.bob), subjects.State(subjects.TableProfiles, b.bob)
	follow := subjects.Own(subjects.TableFollows, b.ada, b.bob)
	stated(s, account, `"Later 2"`)
	stated(s, profile, `"Later 2"`)
	stated(s, follow, b.bob)
	stated(s, subjects.State(subjects.TableProfiles, ghost), `"carol"`)
	quieten(t, s)
	stop(t, s)

	lose(t, b.cfg)
	if _, err := services.Import(t.Context(), b.cfg, services.ImportOptions{From: alone}, quiet); err != nil {
		t.Fatal(err)
	}
	for subject, is := range state(t, b.cfg) {
		if strings.Contains(subject, ghost) || subject == follow {
			t.Errorf("there is still %s: %s", subject, is)
		}
	}

	if s, err = services.Start(t.Context(), b.cfg, quiet); err != nil {
		t.Fatal(err)
	}
	ada, bob = login(s, "ada"), login(s, "bob")
	called(s, bob, b.bob, "Bob <é>")
	call(t, "PUT", s.HTTP+"/v1/me/nickname", bob, `{"nickname":"Robert"}`, 200)
	called(s, bob, b.bob, "Robert")
	call(t, "PUT", s.HTTP+"/v1/users/"+b.bob+"/follow", ada, "", 200)
	stated(s, account, `"Robert"`)
	stated(s, profile, `"Robert"`)
	stated(s, follow, b.bob)
	quieten(t, s)
	stop(t, s)
	for subject, is := range state(t, b.cfg) {
		if strings.Contains(subject, ghost) {
			t.Errorf("there is %s: %s", subject, is)
		}
	}
}

// What is left in the streams of a deployment that was cleared, belongs to nobody who comes.
func TestImportLooksForWhatIsLeft(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	out := filepath.Join(t.TempDir(), "out")
	export(t, b.cfg, out)
	leave := func(cfg services.Config, archive, subject string) services.Config {
		t.Helper()
		if err := services.Leave(t.Context(), cfg, archive, subject, []byte(`{"version":{"rev":1}}`)); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	for what, cfg := range map[string]services.Config{
		"an archive": leave(config(t), subjects.ServiceRoom, subjects.Archived(subjects.ServiceRoom, b.room)),
		"a document": leave(config(t), "", subjects.State(subjects.TableAccounts, b.ada)),
	} {
		if _, err := services.Import(t.Context(), cfg, services.ImportOptions{From: out}, quiet); !errors.Is(err, services.ErrNotEmpty) {
			t.Errorf("%s is left: %v", what, err)
		}
	}
	cfg := leave(config(t), "", subjects.Snapshot(subjects.ServiceRoom, b.room))
	if _, err := services.Import(t.Context(), cfg, services.ImportOptions{From: out}, quiet); err != nil {
		t.Fatal(err)
	}
	if n, err := services.Holds(t.Context(), cfg, subjects.StreamSnapshots); err != nil || n != 0 {
		t.Errorf("%d snapshots are left, %v", n, err)
	}
}

// Where the store is left of an import and the logs are not, the import is not "there already".
func TestImportMissesItsStreams(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	out := filepath.Join(t.TempDir(), "out")
	export(t, b.cfg, out)
	finished, half := config(t), config(t)
	if _, err := services.Import(t.Context(), finished, services.ImportOptions{From: out}, quiet); err != nil {
		t.Fatal(err)
	}
	interrupted(t, half, out)
	for what, cfg := range map[string]services.Config{"a finished one": finished, "a half one": half} {
		if err := os.RemoveAll(filepath.Join(cfg.Data, "nats")); err != nil {
			t.Fatal(err)
		}
		_, err := services.Import(t.Context(), cfg, services.ImportOptions{From: out}, quiet)
		if !errors.Is(err, services.ErrNotEmpty) || !strings.Contains(err.Error(), "are gone") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A document of somebody else in the place of one that is imported is not taken for it.
func TestImportFindsDocumentsOfOthers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	b := build(t)
	out := filepath.Join(t.TempDir(), "out")
	export(t, b.cfg, out)
	var claim store.Document
	for id, doc := range inspect(t, b.cfg).Documents["claims"] {
		if strings.Contains(id, "ada") && strings.Contains(doc, b.ada) {
			claim = store.Document{ID: id, Body: json.RawMessage(`{"user":"somebody else"}`)}
			var v store.Version
			if _, err := fmt.Sscanf(doc, "%d.%d.%d", &v.Epoch, &v.Fold, &v.Rev); err != nil {
				t.Fatal(err)
			}
			claim.Version = v
		}
	}
	if claim.ID == "" {
		t.Fatal("ada has no claim")
	}
	for _, version := range []store.Version{claim.Version, claim.Version.Next()} {
		to := config(t)
		claim.Version = version
		interrupted(t, to, out)
		if err := services.LeaveDocument(t.Context(), to, "claims", claim); err != nil {
			t.Fatal(err)
		}
		if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); !errors.Is(err, services.ErrNotEmpty) {
			t.Errorf("a document of somebody else at %s: %v", version, err)
		}
	}
}

// interrupted begins an import that ends before it has written a document.
func interrupted(t *testing.T, cfg services.Config, from string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := services.Import(ctx, cfg, services.ImportOptions{From: from, Progress: func(part string, _, _ uint64) {
		if strings.HasPrefix(part, "log of ") {
			cancel()
		}
	}}, quiet)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an import that is interrupted: %v", err)
	}
}

// Accounts and profiles are served by processes that own nothing and so hold no lease.
func TestImportFindsEveryServiceThatRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts whole systems, one after the other")
	}
	source := config(t)
	s, err := services.Start(t.Context(), source, quiet)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	out := filepath.Join(t.TempDir(), "out")
	export(t, source, out)
	at := bus.Defaults()
	at.DataDir, at.Listen = t.TempDir(), "127.0.0.1:0"
	b, err := bus.Start(t.Context(), at, []string{subjects.ServiceRoom, subjects.ServicePlaylist, subjects.ServiceChat}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	to := config(t)
	to.NATS.URL, to.NATS.Listen = b.Address(), ""
	for _, service := range []string{subjects.ServiceAuth, subjects.ServiceProfile} {
		stop, err := b.Serve(service, "1.0.0", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); !errors.Is(err, services.ErrRunning) || !strings.Contains(err.Error(), service) {
			t.Errorf("%s runs: %v", service, err)
		}
		stop()
	}
	var stops []func()
	for _, service := range []string{subjects.ServiceProfile, subjects.ServiceAuth} {
		stop, err := b.Serve(service, "1.0.0", nil)
		if err != nil {
			t.Fatal(err)
		}
		stops = append(stops, stop)
	}
	if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); err == nil || !strings.HasSuffix(err.Error(), ": auth, profile") {
		t.Errorf("of two services that run: %v", err)
	}
	for _, stop := range stops {
		stop()
	}
	if _, err := services.Import(t.Context(), to, services.ImportOptions{From: out}, quiet); err != nil {
		t.Error(err)
	}
}
