package rethink

import (
	"context"
	"encoding/json"
	"fmt"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// majority is the read mode that is linearisable whatever happens to the replicas. The
// database then writes what it has to the disks of a majority before it answers.
const majority = "majority"

// reading says how a table is read. Where the store is the authority, what was read must
// not be taken back.
func (t *table) reading() r.RunOpts {
	if t.Durability == store.Hard {
		return r.RunOpts{ReadMode: majority}
	}
	return r.RunOpts{}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name, id string) (store.Document, error) {
	t, err := s.table(name)
	if err != nil {
		return store.Document{}, err
	}
	if err := store.ValidateID(id); err != nil {
		return store.Document{}, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return store.Document{}, err
	}
	defer leave()
	var found *row
	if err := s.one(ctx, t.term.Get(id), t.reading(), &found); err != nil {
		return store.Document{}, err
	}
	if found == nil {
		return store.Document{}, fmt.Errorf("%w: %s/%s", store.ErrNotFound, name, id)
	}
	doc := found.document()
	if doc.Deleted {
		return doc, fmt.Errorf("%w: %s/%s is deleted", store.ErrNotFound, name, id)
	}
	return doc, nil
}

// Find implements store.Store.
func (s *Store) Find(ctx context.Context, name string, query store.Query) (store.Page, error) {
	t, err := s.table(name)
	if err != nil {
		return store.Page{}, err
	}
	plan, err := query.Plan(t.Table)
	if err != nil {
		return store.Page{}, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return store.Page{}, err
	}
	defer leave()
	opts := t.reading()
	c := collector{plan: plan}
	for most := plan.Limit + 1; ; most = min(2*most, largestStep) {
		before := c.scanned
		opts.MaxBatchRows = most
		if err := s.each(ctx, t.find(&c.plan, most), opts, c.see); err != nil {
			return store.Page{}, err
		}
		if c.more || c.scanned-before < most {
			return c.finish()
		}
		if c.plan.After, err = c.place(); err != nil {
			return store.Page{}, err
		}
	}
}

// largestStep is how many rows Find asks for at once when what it wants is sparse. It
// asks again from where it is, rather than leave a long answer unread: the driver keeps
// what it knows of such an answer for as long as the connection lasts.
const largestStep = 1000

// collector gathers a page: up to Limit documents that match, of at most MaxScan.
type collector struct {
	plan    store.Plan
	page    store.Page
	last    store.Document // the last one that was looked at
	scanned int
	more    bool // there is something behind the last one
}

func (c *collector) see(text json.RawMessage) error {
	if c.more = c.more || c.scanned == store.MaxScan; c.more {
		return nil
	}
	doc, err := parseRow(text)
	if err != nil {
		return err
	}
	match := !doc.Deleted && c.plan.Matches(doc.Body)
	if match && len(c.page.Documents) == c.plan.Limit {
		c.more = true
		return nil
	}
	if match {
		c.page.Documents = append(c.page.Documents, *doc)
	}
	c.scanned++
	c.last = *doc
	return nil
}

func (c *collector) finish() (store.Page, error) {
	if !c.more {
		return c.page, nil
	}
	place, err := c.place()
	if err != nil {
		return store.Page{}, err
	}
	c.page.Next = c.plan.Cursor(*place)
	return c.page, nil
}

// place returns the place of the last document that was looked at.
func (c *collector) place() (*store.Place, error) {
	place := &store.Place{ID: c.last.ID}
	if c.plan.Index.Name == "" {
		return place, nil
	}
	keys, err := c.plan.Index.Keys(c.last.Body)
	if err != nil {
		return nil, err
	}
	for _, key := range keys { // of a multi index, the one by which it was found
		if len(c.plan.Equal) == 0 || store.CompareValues(key[0], c.plan.Equal[0]) == 0 {
			place.Key = key
		}
	}
	return place, nil
}

// find returns the query for a plan: one range of one index, in its order, of most rows.
func (t *table) find(plan *store.Plan, most int) r.Term {
	var index string
	var low, high any
	var opts r.BetweenOpts
	if plan.Index.Name == "" {
		index = "id"
		low, high, opts = idBounds(plan)
	} else {
		index = t.indexes[plan.Index.Name]
		low, high, opts = placeBounds(plan)
	}
	opts.Index = index
	order := r.OrderByOpts{Index: r.Asc(index)}
	if plan.Descending {
		order.Index = r.Desc(index)
	}
	return t.term.Between(low, high, opts).OrderBy(order).Limit(most).Without("x", "s")
}
