package natsconf

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// constants gives the string constants of package subjects whose names begin with prefix and
// go on with a capital letter, by name: there is no list of them at run time.
func constants(t *testing.T, prefix string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "subjects", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, name := range spec.Names {
				rest, ok := strings.CutPrefix(name.Name, prefix)
				if !ok || rest == "" || rest[0] < 'A' || rest[0] > 'Z' || i >= len(spec.Values) {
					continue
				}
				if lit, ok := spec.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if out[name.Name], err = strconv.Unquote(lit.Value); err != nil {
						t.Fatal(err)
					}
				}
			}
			return true
		})
	}
	if len(out) == 0 {
		t.Fatalf("package subjects has no constant %s…", prefix)
	}
	return out
}

// verbs of each service that keeps a log.
var verbs = map[string][]string{
	subjects.ServiceRoom:     subjects.RoomVerbs(),
	subjects.ServicePlaylist: subjects.PlaylistVerbs(),
	subjects.ServiceChat:     subjects.ChatVerbs(),
}

// roles are the users that are one role of Tutti each.
var roles = []string{"auth", "profile", "room", "playlist", "chat", "edge"}

// published says of each table who publishes its documents, and whether for everybody or for
// single users. Documents of the others are not published.
var published = map[string]struct {
	by  string
	own bool
}{
	subjects.TableAccounts:       {"auth", false},
	subjects.TableProfiles:       {"profile", false},
	subjects.TableFollows:        {"profile", true},
	subjects.TableRooms:          {"room", false},
	subjects.TableRoomInvites:    {"room", true},
	subjects.TableRoomPlays:      {},
	subjects.TableRoomVisits:     {},
	subjects.TablePlaylists:      {"playlist", false},
	subjects.TablePlaylistPeople: {"playlist", true},
	subjects.TableChats:          {},
	subjects.TableChatHistory:    {},
}

// queued says which commands a service leaves in the queue, by "service.verb" of who is to
// carry them out: in the name of a user, and in the platform's.
var queued = map[string]struct{ user, sys []string }{
	"room.leave":       {nil, []string{"room"}},                     // of the room before
	"playlist.create":  {[]string{"room"}, nil},                     // from a history
	"playlist.add":     {[]string{"room"}, nil},                     //
	"room.create":      {[]string{"playlist"}, nil},                 // from a playlist
	"room.suggest":     {[]string{"playlist"}, nil},                 //
	"chat.follow":      {nil, []string{"chat"}},                     // a room or a playlist
	"room.refused":     {nil, []string{"room", "playlist", "chat"}}, // to whom the command came from
	"playlist.refused": {nil, []string{"room", "playlist", "chat"}}, //
}

// botMay are the commands that the example of somebody else's service may ask for as itself.
var botMay = map[string]bool{"room.join": true, "room.leave": true, "room.suggest": true, "room.vote": true, "chat.send": true}

// browserHears are the tables whose public documents a browser may hear.
var browserHears = map[string]bool{subjects.TableRooms: true, subjects.TablePlaylists: true, subjects.TableProfiles: true}

// durables are the durable consumers of the services: of which stream, and whose.
var durables = []struct{ stream, name, of string }{
	{subjects.StreamEvents(subjects.ServiceRoom), "project-room", "room"},
	{subjects.StreamEvents(subjects.ServiceRoom), "room-seats", "room"},
	{subjects.StreamEvents(subjects.ServiceRoom), "room-exports", "room"},
	{subjects.StreamEvents(subjects.ServiceRoom), "chat-room", "chat"},
	{subjects.StreamEvents(subjects.ServicePlaylist), "project-playlist", "playlist"},
	{subjects.StreamEvents(subjects.ServicePlaylist), "playlist-exports", "playlist"},
	{subjects.StreamEvents(subjects.ServicePlaylist), "chat-playlist", "chat"},
	{subjects.StreamEvents(subjects.ServiceChat), "project-chat", "chat"},
	{subjects.StreamState, "profile-nicknames", "profile"},
}

// readers are who reads the whole log of a service.
var readers = map[string][]string{
	subjects.ServiceRoom:     {"room", "chat", "edge"},
	subjects.ServicePlaylist: {"playlist", "chat", "edge"},
	subjects.ServiceChat:     {"chat", "edge"},
}

// Whoever adds to the contract says here who may use it.
func TestTheContractIsCovered(t *testing.T) {
	for name, service := range constants(t, "Service") {
		switch service {
		case subjects.ServiceAuth, subjects.ServiceProfile: // without a log
		default:
			if verbs[service] == nil || readers[service] == nil {
				t.Errorf("subjects.%s: say in this package which commands it has and who reads its log", name)
			}
		}
		if users[service] == "" {
			t.Errorf("subjects.%s: nats.conf needs a user %q", name, service)
		}
	}
	tables := constants(t, "Table")
	for name, table := range tables {
		if _, ok := published[table]; !ok {
			t.Errorf("subjects.%s: say in this package who publishes its documents", name)
		}
	}
	if len(published) != len(tables) {
		t.Errorf("%d tables are published or not, the contract has %d", len(published), len(tables))
	}
	for name, stream := range constants(t, "Stream") {
		if strings.HasSuffix(stream, "_") {
			continue
		}
		if !known(stream) {
			t.Errorf("subjects.%s: say in this package who reads the stream", name)
		}
	}
	for command := range queued {
		service, verb, _ := strings.Cut(command, ".")
		if !has(verbs[service], verb) {
			t.Errorf("%s is queued, and no command", command)
		}
	}
	for command := range botMay {
		service, verb, _ := strings.Cut(command, ".")
		if !has(verbs[service], verb) {
			t.Errorf("a bot may %s, which is no command", command)
		}
	}
}

func known(stream string) bool { return has(streams(), stream) }

// streams names all streams of a deployment with one shard.
func streams() []string {
	out := []string{subjects.StreamCommands, subjects.StreamSnapshots, subjects.StreamState, subjects.StreamDLQ}
	for service := range verbs {
		out = append(out, subjects.StreamEvents(service), subjects.StreamArchive(service))
	}
	return out
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
