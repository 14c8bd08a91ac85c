package store

import (
	"context"
	"iter"
)

// All yields every document that matches the query, page after page, beginning at
// its Cursor. After an error, which comes with the zero Document, it stops. Limit is
// the size of the pages that it reads ahead, not of the whole.
func All(ctx context.Context, s Store, table string, query Query) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for {
			page, err := s.Find(ctx, table, query)
			if err != nil {
				yield(Document{}, err)
				return
			}
			for _, doc := range page.Documents {
				if !yield(doc, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Cursor = page.Next
		}
	}
}
