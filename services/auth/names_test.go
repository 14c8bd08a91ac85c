package auth

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

func TestEmailAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"anna@example.org":                        "anna@example.org",
		" Anna.B+x@Example.ORG\n":                 "anna.b+x@example.org",
		"e\u0301@example.org":                     "\u00e9@example.org",
		"anna@localhost":                          "anna@localhost",
		"":                                        "",
		"anna":                                    "",
		"@example.org":                            "",
		"anna@":                                   "",
		"a@b@c":                                   "",
		"Anna <anna@example.org>":                 "",
		"<anna@example.org>":                      "",
		"anna@example.org, b@c.de":                "",
		"anna @example.org":                       "",
		"anna@exam ple.org":                       "",
		"\"anna b\"@example.org":                  "",
		"anna@[127.0.0.1]":                        "",
		"anna(x)@example.org":                     "",
		"anna@example.org\x00":                    "",
		"an\u200bna@example.org":                  "",
		"an\r\nbcc:b@c.de@example.org":            "",
		"\xff@example.org":                        "",
		strings.Repeat("a", 65) + "@example.org":  "",
		"a@" + strings.Repeat("b", 253) + ".org":  "",
		strings.Repeat(" ", 2000) + "a@b.c":       "",
		"a@" + strings.Repeat("bcd.", 61) + "org": "a@" + strings.Repeat("bcd.", 61) + "org",
	} {
		got, err := normaliseEmail(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestNicknames(t *testing.T) {
	for in, want := range map[string]string{
		"Anna":                          "Anna",
		"  Anna \t Lena ":               "Anna Lena",
		"e\u0301":                       "\u00e9",
		"東京":                            "東京",
		"👩\u200d🎤":                      "👩\u200d🎤",
		"❤\ufe0f":                       "❤\ufe0f",
		strings.Repeat("ä", 32):         strings.Repeat("ä", 32),
		strings.Repeat("ä", 33):         "",
		"":                              "",
		" \u00a0 ":                      "",
		"\u200d":                        "",
		"\u3164":                        "", // Hangul filler: a letter that looks like nothing
		"\u2800":                        "", // an empty pattern of Braille
		"a\x00b":                        "",
		"a\u202eb":                      "", // would turn the text around
		"a\u200bb":                      "",
		"\xff":                          "",
		strings.Repeat(" ", 3000) + "a": "",
	} {
		got, _, err := normaliseNickname(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	same := [][]string{{"Anna", "ANNA", "ａnna", "an\u200dna"}, {"Straße", "STRASSE", "strasse"}, {"❤", "❤\ufe0f"}, {"é", "E\u0301"}}
	for _, group := range same {
		_, first, _ := normaliseNickname(group[0])
		for _, s := range group {
			if _, key, err := normaliseNickname(s); err != nil || key != first {
				t.Errorf("%q has key %q, not %q: %v", s, key, first, err)
			}
		}
	}
}

func FuzzNormaliseEmail(f *testing.F) {
	for _, s := range []string{"anna@example.org", "İ@İ.org", "\"a\"@b", "a@[b]", "ǅ@x", "ſ@K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := normaliseEmail(s)
		if err != nil {
			return
		}
		if twice, err := normaliseEmail(once); err != nil || twice != once {
			t.Fatalf("%q becomes %q, then %q: %v", s, once, twice, err)
		}
		if len(once) > subjects.MaxEmail || strings.ContainsAny(once, " \r\n\t\x00<>,") {
			t.Fatalf("%q", once)
		}
		if err := store.ValidateID(store.ClaimID(claimEmail, once)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzNormaliseNickname(f *testing.F) {
	for _, s := range []string{"Anna", "Straße", "ﬃ", "\u1e9e", "ΐ", "\u0345\u0301", "ᾳ", "\u3164a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown, key, err := normaliseNickname(s)
		if err != nil {
			return
		}
		again, sameKey, err := normaliseNickname(shown)
		if err != nil || again != shown || sameKey != key {
			t.Fatalf("%q is shown %q, then %q; key %q, then %q: %v", s, shown, again, key, sameKey, err)
		}
		if n := utf8.RuneCountInString(shown); n < 1 || n > subjects.MaxNickname || key == "" {
			t.Fatalf("%q, key %q", shown, key)
		}
		if compareKey(key) != key {
			t.Fatalf("the key of %q is not its own key: %q", shown, key)
		}
		if err := store.ValidateID(store.ClaimID(claimNickname, key)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseRefreshToken(f *testing.F) {
	f.Add(newRefreshToken("ses_01ARZ3NDEKTSV4RRFFQ69G5FAV").encode().Reveal())
	f.Add("ses_01ARZ3NDEKTSV4RRFFQ69G5FAV.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := parseRefreshToken(subjects.Secret(s))
		if err != nil {
			return
		}
		if tok.encode().Reveal() != s {
			t.Fatalf("%q is read as %q", s, tok.encode().Reveal())
		}
	})
}
