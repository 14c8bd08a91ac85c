package auth

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/tuttihq/tutti/subjects"
)

// normaliseEmail gives the form of an address by which it is compared and kept: trimmed,
// NFC, lower case. It refuses what is not a plain "local@domain" (CodeInvalid, field
// email).
func normaliseEmail(s string) (string, error) {
	refuse := subjects.RefuseField("email", "an e-mail address looks like name@example.org and has at most %d bytes", subjects.MaxEmail)
	if len(s) > 4*subjects.MaxEmail || !utf8.ValidString(s) {
		return "", refuse
	}
	s = norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(s))))
	if s == "" || len(s) > subjects.MaxEmail {
		return "", refuse
	}
	for _, r := range s {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '[' || r == '"' {
			return "", refuse
		}
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", refuse
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || at == len(s)-1 {
		return "", refuse
	}
	return s, nil
}

// normaliseNickname gives a nickname as it is shown (trimmed, NFC, inner white space as
// single spaces) and the key by which it is compared: without regard to case, to
// compatibility forms such as full-width letters, and to what cannot be seen. It refuses
// what is empty or too long by either form and what has control characters (CodeInvalid,
// field nickname). Letters of different scripts that look alike stay different.
func normaliseNickname(s string) (shown, key string, err error) {
	refuse := subjects.RefuseField("nickname", "a nickname has 1 to %d characters and no control characters", subjects.MaxNickname)
	if len(s) > 16*utf8.UTFMax*subjects.MaxNickname || !utf8.ValidString(s) {
		return "", "", refuse
	}
	shown = norm.NFC.String(strings.Join(strings.Fields(s), " "))
	if shown == "" || utf8.RuneCountInString(shown) > subjects.MaxNickname {
		return "", "", refuse
	}
	for _, r := range shown {
		if !unicode.IsPrint(r) && !joiner(r) {
			return "", "", refuse
		}
	}
	key = compareKey(shown)
	if strings.TrimSpace(key) == "" {
		return "", "", refuse
	}
	return shown, key, nil
}

// joiner reports whether r belongs to emoji and to scripts though it cannot be seen.
func joiner(r rune) bool { return r == '\u200d' || r == '\u200c' }

// compareKey folds until nothing changes any more: folding a normal form may leave it.
func compareKey(s string) string {
	fold := cases.Fold()
	for range 4 {
		next := norm.NFKC.String(fold.String(norm.NFKC.String(strings.Map(visible, s))))
		next = strings.Join(strings.Fields(next), " ")
		if next == s {
			break
		}
		s = next
	}
	return s
}

// visible drops joiners, variation selectors and fillers that leave no mark of their own.
func visible(r rune) rune {
	const brailleBlank = '\u2800' // a symbol, by its category
	switch {
	case r == brailleBlank, joiner(r), unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
		unicode.Is(unicode.Cf, r):
		return -1
	}
	return r
}

// checkPassword gives the bytes of a password that are hashed: its NFC, so that two
// keyboards that compose characters differently type the same one.
func checkPassword(p subjects.Secret) ([]byte, error) {
	s := p.Reveal()
	if len(s) <= 4*subjects.MaxPassword {
		s = norm.NFC.String(s)
	}
	if len(s) < subjects.MinPassword || len(s) > subjects.MaxPassword {
		return nil, subjects.RefuseField("password", "a password has %d to %d bytes", subjects.MinPassword, subjects.MaxPassword)
	}
	return []byte(s), nil
}
