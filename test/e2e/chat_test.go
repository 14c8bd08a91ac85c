package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// tell sends a command to what a path names: "chats/room_…", "playlists/playlist_…".
func (w *person) tell(path, verb string, in body) (accepted, error) {
	var got accepted
	if in == nil {
		in = body{}
	}
	err := w.post("/v1/"+path+"/commands", body{"id": subjects.NewID(subjects.PrefixCommand, time.Now()), "verb": verb, "body": in}, &got)
	return got, err
}

// told sends a command that is accepted.
func (w *person) told(path, verb string, in body) accepted {
	w.p.t.Helper()
	got, err := w.tell(path, verb, in)
	if err != nil {
		w.p.t.Fatalf("%s: %s: %v", w.nickname, verb, err)
	}
	return got
}

// turned sends a command that is refused with a code.
func (w *person) turned(want subjects.Code, path, verb string, in body) {
	w.p.t.Helper()
	_, err := w.tell(path, verb, in)
	equal(w.p.t, w.nickname+": "+verb+" "+fmt.Sprint(in), codeOf(err), want)
}

// says gives the texts of a chat's history as somebody reads it, the oldest first.
func (w *person) says(chat string) []string {
	w.p.t.Helper()
	var page subjects.ChatHistoryPage
	must(w.p.t, w.get("/v1/chats/"+chat+"/messages?limit=100", &page))
	var out []string
	for _, m := range page.Messages {
		out = append(out, m.Text)
	}
	return out
}

// mentions reports whether anything in a stream holds a text.
func (p *program) mentions(stream, text string) bool {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := p.jetstream().Stream(ctx, stream)
	must(p.t, err)
	info, err := s.Info(ctx)
	must(p.t, err)
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		m, err := s.GetMsg(ctx, seq)
		if err != nil {
			continue // deleted
		}
		if strings.Contains(string(m.Data), text) {
			return true
		}
	}
	return false
}

// Everybody who may not say something is told why, with a code of its own; who is
// shadow-muted is not. What a moderator deletes is gone from what is live, from history,
// from the document and from what is kept to begin from.
func TestAChatIsKeptInOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob, cid, dan, eve := p.register("ann"), p.register("bob"), p.register("cid"), p.register("dan"), p.register("eve")
	guest := p.nobody()
	room := ann.open("Talk", nil)
	chat := "chats/" + room
	follow := subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChatChannel(room)}

	bob.turned(subjects.CodeNotMember, chat, "send", body{"text": "from outside"})
	for _, w := range []*person{bob, cid, dan, eve} {
		w.do(room, "join", nil)
	}
	ears := map[string]*ear{"ann": ann.listen(t), "cid": cid.listen(t), "eve": eve.listen(t), "a guest": guest.listen(t)}
	for _, e := range ears {
		e.ask(follow, subjects.FrameSnap)
	}
	hears := func(who, text string) {
		t.Helper()
		ears[who].await(0, subjects.FrameEvt, func(f subjects.ServerFrame) bool { return strings.Contains(string(f.Public.Patch), text) })
	}
	bob.told(chat, "send", body{"text": "  hello all  "})
	for who := range ears {
		hears(who, `"hello all"`)
	}

	// Muted.
	bob.turned(subjects.CodeForbidden, chat, "mute", body{"user": cid.id})
	ann.told(chat, "mute", body{"user": bob.id})
	bob.turned(subjects.CodeMuted, chat, "send", body{"text": "muffled"})
	// Shadow-muted: as if nothing were.
	ann.told(chat, "shadowMute", body{"user": cid.id})
	cid.told(chat, "send", body{"text": "to the wall"})
	ears["cid"].await(0, subjects.FrameSealed, func(f subjects.ServerFrame) bool { return strings.Contains(string(f.Events[0].Body), "to the wall") })
	same(t, "what the shadow-muted reads", cid.says(room), []string{"hello all", "to the wall"})
	// Banned, and gone from the room.
	ann.do(room, "ban", body{"user": dan.id})
	eventually(t, func() string {
		var seen struct {
			You subjects.ChatYou `json:"you"`
		}
		must(t, dan.get("/v1/"+chat, &seen))
		if !seen.You.Banned {
			return "the chat does not hear of the ban"
		}
		return ""
	})
	dan.turned(subjects.CodeBanned, chat, "send", body{"text": "still here"})
	// Too long, nothing, too fast.
	eve.turned(subjects.CodeTooLarge, chat, "send", body{"text": strings.Repeat("ä", 1001)})
	eve.turned(subjects.CodeInvalid, chat, "send", body{"text": " \n "})
	ann.told(chat, "setSlowMode", body{"seconds": 60})
	eve.told(chat, "send", body{"text": strings.Repeat("ä", 1000)})
	eve.turned(subjects.CodeTooFast, chat, "send", body{"text": "again"})
	ann.told(chat, "send", body{"text": "a moderator"})
	ann.told(chat, "send", body{"text": "is not slowed"})
	hears("a guest", "is not slowed")
	for _, who := range []string{"ann", "eve", "a guest"} {
		ears[who].silent(0, "to the wall", "muffled", "still here", "from outside")
	}
	public := []string{"hello all", strings.Repeat("ä", 1000), "a moderator", "is not slowed"}
	for _, w := range []*person{ann, bob, dan, eve, guest} {
		same(t, "what "+w.nickname+" reads", w.says(room), public)
	}

	// Deleted.
	var now struct {
		State subjects.Chat `json:"state"`
	}
	must(t, ann.get("/v1/"+chat, &now))
	entries := now.State.Ordered()
	i := slices.IndexFunc(entries, func(e subjects.ChatEntry) bool { return e.Text == "hello all" })
	eve.turned(subjects.CodeForbidden, chat, "delete", body{"message": entries[i].ID})
	ann.told(chat, "delete", body{"message": entries[i].ID})
	for who, e := range ears {
		gone := e.await(0, subjects.FrameEvt, func(f subjects.ServerFrame) bool { return strings.Contains(string(f.Public.Patch), `"deleted":true`) })
		equal(t, "the text in what tells "+who, strings.Contains(string(gone.Public.Patch), "hello all"), false)
	}
	for _, w := range []*person{ann, bob, cid, guest} {
		equal(t, "the text in "+w.nickname+"'s history", slices.Contains(w.says(room), "hello all"), false)
	}
	fresh := guest.listen(t).ask(follow, subjects.FrameSnap)
	equal(t, "the text in the snapshot", strings.Contains(string(fresh.State), "hello all"), false)
	eventually(t, func() string {
		if p.mentions(subjects.StreamSnapshots, "hello all") {
			return "the text is kept in a snapshot"
		}
		return ""
	})

	// None of it depends on the process.
	before, atWall := ann.says(room), cid.says(room)
	p.kill()
	p.up()
	same(t, "history after the restart", ann.says(room), before)
	same(t, "the shadow-muted's", cid.says(room), atWall)
	bob.turned(subjects.CodeMuted, chat, "send", body{"text": "muffled"})
	dan.turned(subjects.CodeBanned, chat, "send", body{"text": "still here"})
	eve.turned(subjects.CodeTooFast, chat, "send", body{"text": "again"})
	ann.told(chat, "unmute", body{"user": bob.id})
	ann.told(chat, "setSlowMode", body{"seconds": 0})
	bob.told(chat, "send", body{"text": "thank you"})
	same(t, "history goes on", ann.says(room), append(before, "thank you"))
}

// A private playlist, its chat, and a room's chat are there for those who may see them;
// for everybody else there are none, whichever way they look.
func TestAHiddenPlaylistAndItsChatAreHidden(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob, eve := p.register("ann"), p.register("bob"), p.register("eve")
	const name = "Cabinet noir"
	var made created
	must(t, ann.post("/v1/playlists", body{"name": name, "tracks": []string{"demo:aurora", "demo:night-tram"}}, &made))
	private := ann.open("Boudoir", body{"open": false})
	ann.told("chats/"+private, "send", body{"text": "psst"})
	eventually(t, func() string {
		if _, err := ann.tell("chats/"+made.ID, "send", body{"text": "hush"}); err != nil {
			return "the playlist's chat: " + err.Error()
		}
		return ""
	})
	never := subjects.NewID(subjects.PrefixPlaylist, time.Now())
	nowhere := subjects.NewID(subjects.PrefixRoom, time.Now())

	hidden := func(who *person) {
		t.Helper()
		e := who.listen(t)
		for _, pair := range [][2]subjects.Channel{
			{subjects.PlaylistChannel(made.ID), subjects.PlaylistChannel(never)},
			{subjects.ChatChannel(made.ID), subjects.ChatChannel(never)},
			{subjects.ChatChannel(private), subjects.ChatChannel(nowhere)},
		} {
			for _, f := range []subjects.ClientFrame{
				{Type: subjects.FrameSub, ID: "sub"}, {Type: subjects.FrameSub, ID: "since", Epoch: 1, Since: 1},
				{Type: subjects.FrameCmd, Verb: subjects.VerbJoin}, {Type: subjects.FrameCmd, Verb: subjects.VerbLeave},
				{Type: subjects.FrameCmd, Verb: subjects.VerbAdd, Body: json.RawMessage(`{"tracks":["demo:aurora"]}`)},
				{Type: subjects.FrameCmd, Verb: subjects.VerbMove, Body: json.RawMessage(`{"track":"demo:aurora","from":0,"to":1}`)},
				{Type: subjects.FrameCmd, Verb: subjects.VerbExport}, {Type: subjects.FrameCmd, Verb: subjects.VerbDelete},
				{Type: subjects.FrameCmd, Verb: subjects.VerbSend, Body: json.RawMessage(`{"text":"hello"}`)},
				{Type: subjects.FrameQuery, ID: "page", Query: subjects.QueryHistory},
			} {
				var answers [2]subjects.ServerFrame
				for i, ch := range pair {
					f := f
					if f.Type == subjects.FrameQuery {
						_, id, _ := strings.Cut(string(ch), ".")
						f.Body = json.RawMessage(`{"chat":"` + id + `"}`)
					} else {
						f.Channel = ch
					}
					if f.Type == subjects.FrameCmd {
						f.ID = subjects.NewID(subjects.PrefixCommand, time.Now())
					}
					answers[i] = e.ask(f, subjects.FrameErr)
					answers[i].ID, answers[i].Channel = "", ""
				}
				a, err := json.Marshal(answers[0])
				must(t, err)
				b, err := json.Marshal(answers[1])
				must(t, err)
				equal(t, "what tells "+string(pair[0])+" from none, by "+f.Type+" "+f.Verb, string(a), string(b))
			}
		}
		for _, query := range []string{"?prefix=cabinet", "?of=user&user=" + ann.id, "?of=mine", ""} {
			_, _, found, err := who.send("GET", "/v1/playlists"+query, nil, nil)
			must(t, err)
			equal(t, who.nickname+" finds it by "+query, strings.Contains(string(found), made.ID), false)
		}
		e.silent(0, name, "psst", "hush")
	}
	hidden(eve)
	hidden(bob)

	ann.told("playlists/"+made.ID, "invite", body{"user": bob.id})
	own := bob.listen(t)
	own.send(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChannelPlaylists})
	has := func(f subjects.ServerFrame) bool {
		return strings.Contains(string(f.Docs[made.ID])+string(f.Doc), name) && f.Channel == subjects.ChannelPlaylists
	}
	eventually(t, func() string {
		own.mu.Lock()
		defer own.mu.Unlock()
		for _, text := range own.heard {
			var f subjects.ServerFrame
			must(t, json.Unmarshal([]byte(text), &f))
			if has(f) {
				return ""
			}
		}
		return "the invitation does not show among one's own playlists"
	})
	snap := own.ask(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.PlaylistChannel(made.ID)}, subjects.FrameSnap)
	equal(t, "the invited sees it", strings.Contains(string(snap.State), name), true)
	bob.told("playlists/"+made.ID, "join", nil)
	own.ask(subjects.ClientFrame{Type: subjects.FrameSub, Channel: subjects.ChatChannel(made.ID)}, subjects.FrameSnap)
	same(t, "its chat", bob.says(made.ID), []string{"hush"})
	hidden(eve)

	ann.told("playlists/"+made.ID, "withdraw", body{"user": bob.id})
	for _, ch := range []subjects.Channel{subjects.PlaylistChannel(made.ID), subjects.ChatChannel(made.ID)} {
		out := own.await(0, subjects.FrameGone, func(f subjects.ServerFrame) bool { return f.Channel == ch })
		equal(t, "reason", out.Refusal.Code, subjects.CodeNotFound)
	}
	hidden(bob)
}
