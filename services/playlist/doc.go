// Package playlist decides what happens in playlists, which many people edit together, as
// many at a time as they like.
//
// A playlist is an aggregate: its state is folded from a log of commits, and this package
// is the [Machine] that the kernel (services/internal/aggregate) runs for each. What a
// playlist is, its commands, its events and how they change it, stands in package
// subjects, because edges and clients fold playlists too. What is here:
//
//   - Decide (decide.go and decide_*.go, one group of use cases a file): state and command
//     in, events or a typed refusal out; no clock and no I/O;
//   - Prepare (prepare.go): tracks are looked up in the catalogue, and who follows whom, before
//     the decision;
//   - the documents (project.go) and the lists made of them (list.go);
//   - the export (reactions.go): a playlist becomes the room of another service.
//
// # Rules that are easy to miss
//
// A move names the track, the index at which it was seen, and the index at which it shall
// stand. All three are looked at on the state as it is when the command's turn comes. If
// the track does not stand where it was seen, or there is no such place any more, the
// answer is conflict and nothing changes; so of two who move one track at the same time the
// second is refused. A move to where the track stands is accepted and is nothing.
//
// A move writes one order key, between those of the new neighbours. Where there is none
// left all tracks are numbered anew first, in the same commit; see subjects.Playlist.
//
// What is added twice is dropped: what is named twice, what is in the list, and what turns
// out to be in the list once its source has said what it is. Nobody is refused for a part:
// the sender alone is told which tracks were not taken and why. Where none was taken, the
// whole is refused. An addition of nothing but ids that are there is refused before any
// source is asked, and everything is looked at again after. Taking out what is gone
// succeeds.
//
// Who may not see a playlist is answered not_found whatever they ask, with the words and
// the fields that a playlist has which never was. In a private one every member is the
// creator or invited: withdrawing an invitation takes the user out, and so does narrowing who
// sees the playlist, from whoever is in it uninvited. The creator is always in it, and ends it
// by deleting it. Who is invited and not in it gives the invitation back by leaving, and may come
// in as everybody may, or be invited again; the creator is told.
//
// # Followers
//
// Visibility "followers" shows a playlist to whoever follows its creator, and is private to
// everybody else. Who follows whom is not in the log. [Follows] is asked for lists, and when
// somebody joins whom the state does not let see it: if they follow, they are let in by a
// sealed event, and from then on being in it is what lets them see it. So an edge tells from
// the state alone who may see and do what, but for a preview: whether to ask about a viewer
// says PlaylistState.FollowersMaySee, and what such a viewer may do says FollowerYou.
//
// Who unfollows stays in, and does not come back once they have left. Whoever was taken out
// (withdraw) comes back only invited, whomever they follow. Where only the invited edit,
// followers look on.
//
// # Export
//
// An export is an event in the playlist's log that holds everything the room needs: how it
// is opened, its tracks, and its id, which is derived from the playlist, the sender and the
// command. The event is sealed to the sender, who so learns the id with the answer and can
// follow the room before it is there. A reaction reads the log and leaves the room's
// creation, in the sender's name, in the COMMANDS stream, then the tracks that one command
// cannot hold; each under an id derived from the event. A process that dies between any two
// steps leaves the event in the log, the reaction comes to it again, and the room's owner
// knows the ids: there is one room, with each track once.
//
// The room looks its tracks up itself. If its service can have none of the first
// subjects.MaxTracksPerCommand then, the room does not come about. What the room's owner refuses
// comes back as the command "refused", and the exporter is told by a sealed event that the
// export failed, or a part of it (docs/adr/0015). Only vote rooms can be opened: an export that
// asks for a show is refused.
package playlist
