package profile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

func found(d *deployment, prefix string, limit int) (names []string, err error) {
	req := subjects.PeopleRequest{Prefix: prefix, Limit: limit}
	for {
		page, err := ask[subjects.PeoplePage](d, subjects.ProfileSearch, req)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Profiles {
			names = append(names, p.Nickname)
		}
		if page.Next == "" {
			return names, nil
		}
		req.Cursor = page.Next
	}
}

func TestPeopleAreFoundByTheBeginningOfTheirNickname(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	long := strings.Repeat("語", 31)
	for _, n := range []string{"anna", "ANNABEL", "Anna Lena", "Ａｎｎｏ", "Bert", "straße", "Ärger", long + "a", long + "b"} {
		d.person(t, n)
	}
	for prefix, want := range map[string][]string{
		"ann":      {"anna", "Anna Lena", "ANNABEL", "Ａｎｎｏ"},
		"ANNA  l":  {"Anna Lena"},
		"STRASSE":  {"straße"},
		"a\u0308":  {"Ärger"}, // composed otherwise
		long + "b": {long + "b"},
		long[:60]:  {long + "a", long + "b"},
		"b":        {"Bert"},
		"zz":       nil,
		"nna":      nil,
	} {
		for _, limit := range []int{0, 1, 2} {
			if got, err := found(d, prefix, limit); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q by %d: %q, %v; want %q", prefix, limit, got, err, want)
			}
		}
	}
	for _, bad := range []subjects.PeopleRequest{
		{}, {Prefix: "  "}, {Prefix: strings.Repeat("a", 33)}, {Prefix: "a", Limit: 101}, {Prefix: "a", Limit: -1}, {Prefix: "a", Cursor: "x"},
	} {
		_, err := ask[subjects.PeoplePage](d, subjects.ProfileSearch, bad)
		refused(t, err, subjects.CodeInvalid)
	}
}

// A profile has the nickname of the newest version of its account that was heard of, in
// whatever order and however often they come, and is found by it.
func TestAProfileFollowsItsAccount(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	d.start(t, config())
	a := d.announce(t, "Anna")
	text := "I was here"
	if _, err := own(d, a.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := ask[subjects.Profile](d, subjects.ProfileUpdate, subjects.ProfileUpdateRequest{UserID: a.ID, Bio: &text}); err != nil {
		t.Fatal(err)
	}
	for rev := uint64(2); rev < 30; rev++ {
		a.Nickname = fmt.Sprint("Nina", rev)
		d.publish(t, a, rev)
	}
	eventually(t, "renamed", func() bool {
		p, err := own(d, a.ID)
		return err == nil && p.Nickname == "Nina29" && p.Bio == text && p.Rev > 2
	})
	late := fmt.Appendf(nil, `{"version":{"rev":7},"body":{"id":%q,"nickname":"Late","createdAt":1}}`, a.ID)
	if err := d.bus.Put(t.Context(), subjects.State(subjects.TableAccounts, a.ID), late); err != nil {
		t.Fatal(err)
	}
	d.person(t, "behind it")
	if p, err := own(d, a.ID); err != nil || p.Nickname != "Nina29" {
		t.Fatalf("%+v, %v", p, err)
	}
	if got, err := found(d, "nina29", 0); err != nil || !slices.Equal(got, []string{"Nina29"}) {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := found(d, "anna", 0); err != nil || len(got) != 0 {
		t.Fatalf("%q, %v", got, err)
	}
}
