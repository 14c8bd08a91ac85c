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

// A playlist that two people order at once: who moves a track tells where they saw it, and
// hears if somebody else was faster.
func ExampleClient_Playlist() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := toTheTop(ctx, "http://127.0.0.1:1", "playlist_01M7Z5CPH9YV35BGQ9F797KWPC", "demo:aurora"); errors.Is(err, tutti.ErrUnreachable) {
		fmt.Println("is the server up?")
	}
	// Output: is the server up?
}

func toTheTop(ctx context.Context, address, playlist, track string) error {
	client, err := tutti.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Account().Login(ctx, "ada@example.com", "correct horse"); err != nil {
		return err
	}
	p := client.Playlist(playlist)
	for view, err := range p.Views(ctx) {
		if err != nil {
			return err
		}
		at, there := view.Playlist.IndexOf(track)
		if !there || at == 0 {
			return nil
		}
		if err := p.Move(ctx, track, at, 0); subjects.CodeOf(err) != subjects.CodeConflict {
			return err // moved, or refused for good
		}
		// Somebody was faster: the next view shows where it stands by now.
	}
	return ctx.Err()
}

// A room's chat on a terminal, with the names that people have now.
func ExampleClient_Chat() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := printChat(ctx, "http://127.0.0.1:1", "room_01M7Z5CPH9YV35BGQ9F797KWPC"); errors.Is(err, tutti.ErrUnreachable) {
		fmt.Println("is the server up?")
	}
	// Output: is the server up?
}

func printChat(ctx context.Context, address, room string) error {
	client, err := tutti.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer client.Close()
	chat, names := client.Chat(room), client.Names()
	defer names.Close()
	last := ""
	for view, err := range chat.Views(ctx) {
		if err != nil {
			return err
		}
		messages := view.Messages()
		authors := make([]string, len(messages))
		for i, m := range messages {
			authors[i] = m.Author
		}
		if err := names.Set(authors...); err != nil {
			return err
		}
		for _, m := range messages {
			if m.ID > last && !m.Deleted {
				who, _ := names.Profile(m.Author) // the zero Profile until it came
				fmt.Printf("%s: %s\n", who.Nickname, m.Text)
				last = m.ID
			}
		}
	}
	return ctx.Err()
}
