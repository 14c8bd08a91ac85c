package edge

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuttihq/tutti/subjects"
)

// maxCursor bounds a cursor in bytes.
const maxCursor = 512

// limitParam reads ?limit=, from 1 to most.
func (r *request) limitParam(unset, most int) (int, error) {
	s := r.Query("limit")
	if s == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		n = -1
	}
	return pageLimit(n, unset, most)
}

// pageLimit checks a limit that was read; 0 means that none was given.
func pageLimit(n, unset, most int) (int, error) {
	if n == 0 {
		return unset, nil
	}
	if n < 1 || n > most {
		return 0, subjects.RefuseField("limit", "a limit is a number from 1 to %d", most)
	}
	return n, nil
}

// checkText refuses what is not text of up to most characters.
func checkText(name, s string, most int) error {
	switch {
	case !utf8.ValidString(s), strings.ContainsFunc(s, unicode.IsControl):
		return subjects.RefuseField(name, "text is UTF-8 without control characters")
	case utf8.RuneCountInString(s) > most:
		return subjects.RefuseField(name, "at most %d characters", most)
	}
	return nil
}

// readCursor reads a cursor as another page of ours wrote it; ok is false for the first
// page.
func readCursor(s string, v any) (ok bool, err error) {
	if s == "" {
		return false, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(s) > maxCursor || decode(raw, v) != nil {
		return false, badCursor()
	}
	return true, nil
}

func badCursor() error {
	return subjects.RefuseField("cursor", "not a cursor: take it from next of the page before, or leave it out")
}

// cursor writes what readCursor reads.
func cursor(v any) string {
	raw, err := json.Marshal(v)
	if err != nil { // numbers and ids only: cannot be
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
