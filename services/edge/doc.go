// Package edge is the door to Tutti for everyone outside: a JSON API over HTTP and a
// websocket, on Fiber.
//
// An edge decides nothing about rooms. It checks who asks and whether the request is
// well formed, and then
//
//   - answers reads of rooms from its own fold of the log, which is as new as the log's
//     head (Rooms), so that a read right after a write is never old;
//   - hands commands to the owner of the room and waits for the answer (Commander);
//   - asks the services that keep documents: accounts, profiles, search (Querier).
//
// It keeps nothing that another edge would need: any request may go to any edge.
//
// # From a connection to an answer
//
//	conn.go      accepts connections, survives a shortage of descriptors
//	server.go    starts, stops, and bounds what a connection may do
//	request.go   around every request: its id, time limit, log line, recovery from a panic
//	headers.go   security headers, cross-origin rules
//	client.go    which address the request came from, past trusted proxies
//	ratelimit.go how many requests one client may make
//	auth.go      whose token it is
//	body.go      JSON in, with everything refused that would be misread
//	routes.go    the table of all paths; the handlers are in routes_*.go
//	problem.go   every "no", as an RFC 9457 problem document
//	metrics.go   what is counted, and how a request is followed in a trace
//
// # Sockets
//
// A socket carries frames (package subjects): channels that are followed, and commands,
// which take the same path as over HTTP.
//
//	routes_socket.go   the upgrade, and which pages may ask for it
//	sockets.go         all that are open: counted, pinged, closed in the end
//	socket.go          one of them: its reader, its lanes for what takes time
//	socket_frames.go   what becomes of each frame; socket_queries.go of questions
//	socket_outbox.go   what waits to be written: bounded, conflated, coalesced
//	socket_message.go  frames as bytes, made once for all who get them
//	kind.go, kind_*.go what rooms, playlists and chats differ in
//	hub.go, topic.go   those that somebody follows: each commit framed once, access
//	                   checked after it; topic_you.go what is for one user alone,
//	                   topic_live.go what is not logged, passes.go who sees something
//	                   because they follow its creator
//	lobby.go, own.go   live queries: open rooms, and a user's invitations and playlists;
//	live_users.go      the profiles that somebody looks at
//
// A socket's handler is its reader's goroutine. It returns when the lanes and the writer
// that it owns have ended. docs/guide/socket.md tells the story.
//
// # What an outsider must not learn
//
// A private room, playlist or chat does not exist for who may not see it. Reads of it, and commands to it,
// get the very answer that an unknown id gets (see target.missing). What can be refused without
// looking at the room is refused first, the same for every id.
//
// # Commands
//
// A command takes effect once by its id, so a client that got no answer, or one with
// "retry", sends it again under the same id. Where the client names no id the edge makes
// one and tells it in every answer, problem documents included.
//
// One sender's commands to one room are asked one after the other in the order in which
// they arrived (turns.go); a bounded number waits, further ones are refused as busy.
//
// # Bounds
//
// Config names every one: connections, header and body size, time to read, to write, to
// answer, waiting commands, requests per client, remembered clients, and for sockets what
// waits to be written, what is kept for those that come back, and how many there may be.
// Its comments say what happens at each.
package edge
