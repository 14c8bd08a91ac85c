// Package tutti is the Go client of Tutti: it signs in, opens and joins rooms, edits
// playlists, chats, finds and follows people, and hears of everything as it happens.
//
//	client, err := tutti.Dial(ctx, "http://127.0.0.1:8080")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	if _, err := client.Account().Login(ctx, "ada@example.com", "correct horse"); err != nil {
//		return err
//	}
//	room := client.Room(id)
//	if err := room.Join(ctx); err != nil {
//		return err
//	}
//	if err := room.Vote(ctx, "demo:night-tram"); errors.Is(err, &subjects.Refusal{Code: subjects.CodeAlreadyVoted}) {
//		// so be it
//	} else if err != nil {
//		return err
//	}
//	for view, err := range room.Views(ctx) {
//		if err != nil {
//			return err
//		}
//		now := client.Clock().Now().UnixMilli()
//		fmt.Println(view.Room.Playback.TrackID, view.Room.PositionAt(now), len(view.Room.Queue))
//	}
//
// # One client, two gateways
//
// A client reaches its system over HTTP and over one socket. What goes which way is its own
// affair: accounts and pages of lists over HTTP, commands and everything that is followed
// over the socket, which it opens when something first needs it. Both gateways are small
// interfaces (HTTP, Dialer and Socket), and a program or test may give its own.
//
// # The connection
//
// Client.Connection says what the socket is now and Client.Connections what it becomes:
//
//	Offline → Connecting → Connected → Identified
//	   ↑___________|____________|___________|        broke, or closed with a code that
//	                                                 invites back: again after a pause
//	Closed: the code does not invite back, the session is over, or Client.Close
//
// Pauses are random, up to a bound that doubles with each failure and is cut at 20 seconds
// (WithPauses); a server that asks for a pause gets one of a second at least. A connection
// on which nothing is heard for 40 seconds is given up. Before the access token expires the
// client refreshes it, one refresh at a time, and says hello again.
//
// # Commands
//
// Every command has one id, made in the server's time, and keeps it through every retry, so
// it takes effect once. The commands of a client to one room, playlist or chat are carried
// out in the order of the calls: the next is sent when the one before has its final answer.
// While there is no connection they wait in the outbox, which is bounded (WithOutbox,
// ErrOutboxFull). Answers that are not final (subjects.Code.Final) are not shown: the command
// is sent again after the pause that the server asked for, as long as the caller's context
// lasts. A refusal is a *subjects.Refusal, an error like any other:
//
//	subjects.CodeOf(err) == subjects.CodeClosed
//
// Two commands make something elsewhere, and give what they made: Playlist.Export a room,
// Room.ExportHistory a playlist. It is there a moment later.
//
// # Following
//
// Client.Room, Client.Playlist and Client.Chat name one thing each, and are followed alike.
// Views yields it as it is whenever it has changed, always the newest. Updates yields every
// commit in order and once. Both go on over breaks of the connection, from the last revision
// that was seen; where that is not possible any more a snapshot takes its place, which
// Updates shows. The state is folded with the functions of package subjects that the services
// fold it with, and Version.Hash equals the server's at the same revision. An event that this
// release does not know is followed by its patch.
//
// A connection follows at most subjects.MaxChannels channels (ErrTooManyChannels): one for
// each room, playlist and chat, one for each of the lists below, one for all Names.
//
// Client.Lobby, Client.Invitations and Client.MyPlaylists yield lists that stay up to date;
// Client.Names the profiles of a set of users, so that a changed nickname shows at once.
// What is read by page (Client.Playlists, Client.SearchPeople, Room.Plays and their like)
// is as it was when it was asked for.
//
// # Chats
//
// A chat has the id of its room or playlist. ChatView.Messages are the last messages as the
// client's user sees them; what is older is read with Chat.History by page, or with
// Chat.Earlier and Chat.Later to the end. Who types is told live and not kept: Chat.Typing
// says so, Chat.Typists yields who does.
package tutti
