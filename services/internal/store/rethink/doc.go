// Package rethink keeps documents in RethinkDB.
package rethink
