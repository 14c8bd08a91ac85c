package tutti

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tuttihq/tutti/subjects"
)

// get reads something, as whoever is signed in.
func (c *Client) get(ctx context.Context, path string, q url.Values, out any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.call(ctx, asViewer, http.MethodGet, path, nil, out)
}

// paged adds to a query where a page begins and how long it is; a limit of 0 is the server's
// choice.
func paged(q url.Values, cursor string, limit int) url.Values {
	if q == nil {
		q = url.Values{}
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// MembersPage is a page of a room's roster, ordered by user id.
type MembersPage struct {
	Epoch   uint64 `json:"epoch"`
	Rev     uint64 `json:"rev"`
	Total   int    `json:"total"`
	Members []struct {
		User string `json:"user"`
		subjects.Member
	} `json:"members"`
	// Next is the cursor of the following page, "" after the last.
	Next string `json:"next"`
}

// Members gives a page of the roster, which a big room's document does not hold. limit is 1
// to 500, 0 for the server's choice.
func (r *Room) Members(ctx context.Context, cursor string, limit int) (MembersPage, error) {
	var page MembersPage
	err := r.client.get(ctx, "/v1/rooms/"+url.PathEscape(r.id)+"/members", paged(nil, cursor, limit), &page)
	return page, err
}

// Tracks searches what the server offers to browse. limit is 1 to 200, 0 for the server's
// choice.
func (c *Client) Tracks(ctx context.Context, query string, limit int) ([]subjects.Track, error) {
	q := paged(url.Values{"query": {query}}, "", limit)
	var out struct {
		Tracks []subjects.Track `json:"tracks"`
	}
	err := c.call(ctx, asAnyone, http.MethodGet, "/v1/tracks?"+q.Encode(), nil, &out)
	return out.Tracks, err
}

// PlaylistQuery asks for a page of playlists.
type PlaylistQuery struct {
	// Of is subjects.ListAll if empty, subjects.ListMine or subjects.ListUser.
	Of string
	// User is whose playlists subjects.ListUser asks for.
	User string
	// Prefix is what the name begins with, in whatever case; empty finds all.
	Prefix string
	// Cursor is the Next of the page before, "" for the first.
	Cursor string
	// Limit is 0 for the server's choice.
	Limit int
}

// Playlists gives a page of the playlists that the client's user may find, in the order of
// their names.
func (c *Client) Playlists(ctx context.Context, q PlaylistQuery) (subjects.PlaylistPage, error) {
	values := paged(nil, q.Cursor, q.Limit)
	for key, value := range map[string]string{"of": q.Of, "user": q.User, "prefix": q.Prefix} {
		if value != "" {
			values.Set(key, value)
		}
	}
	var page subjects.PlaylistPage
	err := c.get(ctx, "/v1/playlists", values, &page)
	return page, err
}
