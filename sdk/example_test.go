package tutti_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// A jukebox that tells what plays and keeps the queue from running dry.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	// Where "tutti up" listens it would be http://127.0.0.1:8080. Nobody does here.
	if err := jukebox(ctx, "http://127.0.0.1:1"); errors.Is(err, tutti.ErrUnreachable) {
		fmt.Println("is the server up?")
	} else if err != nil {
		slog.Error("jukebox", "err", err)
	}
	// Output: is the server up?
}

func jukebox(ctx context.Context, address string) error {
	client, err := tutti.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Account().Register(ctx, "juke@example.com", "Juke", "correct horse"); err != nil {
		return err
	}
	room, _, err := client.CreateRoom(ctx, subjects.CreateRoom{
		Kind: subjects.KindVote, Name: "Friday night", Open: true, Tracks: []subjects.TrackRef{"demo:aurora"},
	})
	if err != nil {
		return err
	}
	if err := room.Play(ctx); err != nil {
		return err
	}
	playing := ""
	for view, err := range room.Views(ctx) {
		if err != nil {
			return err
		}
		if now := view.Room.Current; now != nil && now.ID != playing {
			playing = now.ID
			fmt.Println("now playing", now.Title)
		}
		if len(view.Room.Queue) > 0 {
			continue
		}
		err := room.Suggest(ctx, "demo:night-tram")
		var refused *subjects.Refusal
		if errors.As(err, &refused) {
			slog.Info("not queued", "code", refused.Code, "why", refused.Message)
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}
