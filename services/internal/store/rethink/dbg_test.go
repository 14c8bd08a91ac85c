package rethink_test

import (
	"testing"
	"fmt"
	"time"
	"context"

	r "gopkg.in/rethinkdb/rethinkdb-go.v6"
)

func TestDbg(t *testing.T) {
	config := fresh(t)
	config.FeedQueue = 10
	s := open(t, config, rooms)
	session := connect(t, config)
		burst := r.Range(0, 5000).Map(func(i r.Term) any {
			return map[string]any{
				"id": r.Expr("burst").Add(i.CoerceTo("string")), "v": []int{1, 0, 1}, "d": false, "b": `{"name":"x"}`, "s": "",
			}
		})
		insert := r.DB(config.Database).Table(rooms.Name).Insert(burst, r.InsertOpts{Conflict: "replace", Durability: "soft"})
		if err := insert.Exec(session, r.ExecOpts{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
	for range 3 {
	feed, err := s.Changes(t.Context(), rooms.Name)
	if err != nil { t.Fatal(err) }
	n := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		c, err := feed.Next(ctx)
		cancel()
		if err != nil { fmt.Println(n, err); break }
		if c.New == nil { fmt.Println(n, c.Kind); break }
		n++
	}
	feed.Close()
	}
}
