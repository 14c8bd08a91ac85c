package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// Somebody changes their nickname: it shows at once where they are, in the room, beside
// what they have said, and in a playlist that is open elsewhere. What was logged stays.
func TestANicknameChangesEverywhereAtOnce(t *testing.T) {
	chromium(t)
	p := start(t)
	a, b := p.browse(t, "ada"), p.browse(t, "bob")
	a.signUp("Ada")
	b.signUp("Bob")
	me := ask[string](a, `document.documentElement.dataset.user`)
	witness := p.register("witness")
	room := witness.open("Talk", body{"tracks": []string{"demo:aurora"}})
	for _, w := range []*page{a, b} {
		w.visit("#/room/" + room)
		w.press(at("join"))
	}
	a.write("it is me")
	b.reads("it is me")
	said := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('[data-test="chat-author"]')].some((n) => n.textContent.includes(%q))`, name)
	}
	listed := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('[data-test="member-name"]')].some((n) => n.textContent.includes(%q))`, name)
	}
	b.wait("bob reads her name", said("Ada")+"&&"+listed("Ada"))
	log := len(p.log(room))

	// Bob finds and follows her.
	b.visit("#/people")
	b.fill(at("people-search"), "ad")
	b.press(`[data-test="person-row"][data-user="` + me + `"] ` + at("follow"))
	b.visit("#/user/" + me)
	b.wait("her profile says that he does", `document.querySelector('[data-test="follow"][aria-pressed="true"]')`)
	b.visit("#/room/" + room)
	b.wait("bob is back", said("Ada"))

	a.visit("#/user/" + me)
	a.wait("she has a follower", `document.querySelector('[data-test="profile"]').textContent.includes("1")`)
	a.press(at("profile-edit"))
	a.refuses("/v1/me/nickname")
	a.fill(at("profile-nickname"), "Bob")
	a.press(`dialog ` + at("submit"))
	a.wait("she is told that it is taken", `/taken/i.test(document.querySelector('dialog [data-test="form-error"], dialog .field-error, dialog [role="alert"]')?.textContent ?? "")`)
	a.fill(at("profile-nickname"), "Countess")
	a.press(`dialog ` + at("submit"))
	b.wait("bob reads her new name, and not the old one", said("Countess")+"&&"+listed("Countess")+"&& !"+said("Ada")+"&& !"+listed("Ada"))
	a.wait("her page says it too", `document.querySelector('[data-test="profile-name"]').textContent === "Countess"`)

	equal(t, "commits of the room", len(p.log(room)), log)
	p.nobody().claims("Ada")
	equal(t, "the message is as it was", strings.Join(witness.says(room), "|"), "it is me")
}

// claims registers under a nickname, with another address than who had it before.
func (w *person) claims(nickname string) {
	w.p.t.Helper()
	in := body{"email": "second-" + nickname + "@example.org", "nickname": nickname, "password": "correct horse"}
	must(w.p.t, w.post("/v1/auth/register", in, nil))
}
