// Package export makes the commands by which what one service keeps becomes something of
// another: a playlist a room, a room's history a playlist. They come from a reaction, so
// their ids follow from the event that asked for the export, and each takes effect once.
package export
