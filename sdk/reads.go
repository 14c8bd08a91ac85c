package tutti

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

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
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var page MembersPage
	err := r.client.call(ctx, asViewer, http.MethodGet, "/v1/rooms/"+url.PathEscape(r.id)+"/members?"+q.Encode(), nil, &page)
	return page, err
}

// Profiles gives the profiles of up to subjects.MaxProfileBatch users, in the order asked,
// without those that are not there.
func (c *Client) Profiles(ctx context.Context, users ...string) ([]subjects.Profile, error) {
	var out subjects.ProfileBatchAnswer
	err := c.call(ctx, asViewer, http.MethodGet, "/v1/users?"+url.Values{"ids": {strings.Join(users, ",")}}.Encode(), nil, &out)
	return out.Profiles, err
}

// Tracks searches what the server offers to browse. limit is 1 to 200, 0 for the server's
// choice.
func (c *Client) Tracks(ctx context.Context, query string, limit int) ([]subjects.Track, error) {
	q := url.Values{"query": {query}}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var out struct {
		Tracks []subjects.Track `json:"tracks"`
	}
	err := c.call(ctx, asAnyone, http.MethodGet, "/v1/tracks?"+q.Encode(), nil, &out)
	return out.Tracks, err
}
