package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Plan is a query that has been checked against its table: what an implementation
// executes. All values are bool, float64 or string.
type Plan struct {
	// Index to go by. Its Name is empty for the primary key; then the one field is
	// the id.
	Index Index
	// Equal are the values of the first fields.
	Equal Key
	// From and To bound the next field, nil if open.
	From, To any
	// Prefix bounds the next field, if not empty.
	Prefix string
	// Limit is between 1 and MaxLimit.
	Limit int
	// Descending reverses index order and ids.
	Descending bool
	// After is the place of the last document that was looked at for the page before,
	// nil for the first page.
	After *Place

	where       []condition
	fingerprint string
}

// Place is where a document stands in an index. Key is nil for the primary key.
type Place struct {
	Key Key    `json:"k,omitempty"`
	ID  string `json:"id"`
}

type condition struct {
	path  string
	value any
}

// Plan checks the query against the table: ErrUnknownIndex, or ErrInvalid for what
// breaks a rule and for a cursor that is damaged or belongs to another query.
func (q Query) Plan(t Table) (Plan, error) {
	p := Plan{Limit: q.Limit, Descending: q.Descending, Prefix: q.Prefix}
	p.Index.Fields = []string{"id"}
	longest := MaxID
	if q.Index != "" {
		var err error
		if p.Index, err = t.Index(q.Index); err != nil {
			return Plan{}, err
		}
		longest = MaxIndexString
	}
	switch {
	case q.Limit < 0 || q.Limit > MaxLimit:
		return Plan{}, invalid("a limit is at most %d, not %d", MaxLimit, q.Limit)
	case q.Limit == 0:
		p.Limit = DefaultLimit
	}
	if err := p.bounds(q, longest); err != nil {
		return Plan{}, err
	}
	if len(q.Where) > MaxWhere {
		return Plan{}, invalid("at most %d conditions", MaxWhere)
	}
	for _, path := range slices.Sorted(maps.Keys(q.Where)) {
		if !validPath(path) {
			return Plan{}, invalid("bad field %q", path)
		}
		v, err := normalise(q.Where[path])
		if err != nil {
			return Plan{}, err
		}
		p.where = append(p.where, condition{path, v})
	}
	p.fingerprint = p.print(t.Name)
	if q.Cursor != "" {
		if err := p.resume(q.Cursor); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

func (p *Plan) bounds(q Query, longest int) error {
	value := func(v any) (any, error) {
		n, err := normalise(v)
		if err != nil {
			return nil, err
		}
		if s, ok := n.(string); ok && len(s) > longest {
			return nil, invalid("a string of %d bytes; index %q sees %d", len(s), q.Index, longest)
		}
		return n, nil
	}
	var err error
	for _, v := range q.Equal {
		n, err := value(v)
		if err != nil {
			return err
		}
		p.Equal = append(p.Equal, n)
	}
	if q.From != nil {
		if p.From, err = value(q.From); err != nil {
			return err
		}
	}
	if q.To != nil {
		if p.To, err = value(q.To); err != nil {
			return err
		}
	}
	if _, err = value(q.Prefix); err != nil {
		return err
	}
	ranged := q.From != nil || q.To != nil
	switch fields := len(p.Index.Fields); {
	case len(q.Equal) > fields, len(q.Equal) == fields && (ranged || q.Prefix != ""):
		return invalid("index %q has %d fields", q.Index, fields)
	case ranged && q.Prefix != "":
		return invalid("a prefix excludes from and to")
	case p.Index.Multi && len(q.Equal) == 0:
		return invalid("index %q is multi: its first field must be given", q.Index)
	}
	return nil
}

// Matches reports whether a body fulfils the conditions of Where.
func (p *Plan) Matches(body []byte) bool {
	for _, c := range p.where {
		if v, ok := scalar(lookup(body, c.path)); !ok || v != c.value {
			return false
		}
	}
	return true
}

// print identifies the query to its own cursors.
func (p *Plan) print(table string) string {
	where := make([]any, 0, 2*len(p.where))
	for _, c := range p.where {
		where = append(where, c.path, c.value)
	}
	text, err := json.Marshal([]any{table, p.Index.Name, p.Index.Fields, p.Equal, p.From, p.To, p.Prefix, p.Descending, where})
	if err != nil {
		panic(err) // only bools, numbers and strings
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// Cursor returns the cursor that continues behind the place.
func (p *Plan) Cursor(last Place) string {
	text, err := json.Marshal(last)
	if err != nil {
		panic(err) // only bools, numbers and strings
	}
	return p.fingerprint + "." + base64.RawURLEncoding.EncodeToString(text)
}

func (p *Plan) resume(cursor string) error {
	fingerprint, place, ok := strings.Cut(cursor, ".")
	if !ok || len(cursor) > 4096 {
		return invalid("damaged cursor")
	}
	if fingerprint != p.fingerprint {
		return invalid("the cursor belongs to another query")
	}
	text, err := base64.RawURLEncoding.DecodeString(place)
	if err != nil {
		return invalid("damaged cursor")
	}
	p.After = new(Place)
	if err := json.Unmarshal(text, p.After); err != nil || ValidateID(p.After.ID) != nil {
		return invalid("damaged cursor")
	}
	if p.Index.Name == "" {
		p.After.Key = nil
		return nil
	}
	if len(p.After.Key) != len(p.Index.Fields) {
		return invalid("damaged cursor")
	}
	for _, v := range p.After.Key {
		switch v.(type) {
		case bool, float64, string:
		default:
			return invalid("damaged cursor")
		}
	}
	return nil
}
