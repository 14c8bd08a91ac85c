package rethink

import (
	"context"
	"encoding/json"
	"fmt"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"

	"github.com/tuttihq/tutti/services/internal/store"
)

// majority is the read mode that is linearisable whatever happens to the replicas.
const majority = "majority"

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
	if err := s.one(ctx, t.term.Get(id), r.RunOpts{ReadMode: majority}, &found); err != nil {
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
	// The first batch is mostly the last.
	opts := r.RunOpts{MaxBatchRows: plan.Limit + 1, FirstBatchScaledownFactor: 1}
	most := store.MaxScan + 1
	if plan.Index.Name != "" && len(query.Where) == 0 {
		most = plan.Limit + 1 // all of them match
	}
	if t.Durability == store.Hard {
		opts.ReadMode = majority
	}
	c := collector{plan: &plan}
	if err := s.each(ctx, t.find(&plan, most), opts, c.see); err != nil {
		return store.Page{}, err
	}
	return c.finish()
}

// collector gathers a page: up to Limit documents that match, of at most MaxScan.
type collector struct {
	plan    *store.Plan
	page    store.Page
	last    store.Document // the last one that was looked at
	scanned int
	more    bool
}

func (c *collector) see(text json.RawMessage) (more bool, err error) {
	if c.scanned == store.MaxScan {
		c.more = true
		return false, nil
	}
	doc, err := parseRow(text)
	if err != nil {
		return false, err
	}
	c.scanned++
	match := !doc.Deleted && c.plan.Matches(doc.Body)
	if match && len(c.page.Documents) == c.plan.Limit {
		c.more = true
		return false, nil
	}
	if match {
		c.page.Documents = append(c.page.Documents, *doc)
	}
	c.last = *doc
	return true, nil
}

func (c *collector) finish() (store.Page, error) {
	if !c.more {
		return c.page, nil
	}
	place := store.Place{ID: c.last.ID}
	if c.plan.Index.Name != "" {
		keys, err := c.plan.Index.Keys(c.last.Body)
		if err != nil {
			return store.Page{}, err
		}
		for _, key := range keys { // of a multi index, the one by which it was found
			if len(c.plan.Equal) == 0 || store.CompareValues(key[0], c.plan.Equal[0]) == 0 {
				place.Key = key
			}
		}
	}
	c.page.Next = c.plan.Cursor(place)
	return c.page, nil
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
