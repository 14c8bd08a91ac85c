package chat

import "github.com/tuttihq/tutti/subjects"

// setSlowMode sets how long a sender waits between two messages. It counts from the next
// message of each.
func (d *decision) setSlowMode(body *subjects.SetSlowMode) error {
	if err := d.moderate(); err != nil {
		return err
	}
	if d.s.Chat.SlowMode != *body.Seconds {
		d.emit(&subjects.SlowModeSet{Seconds: *body.Seconds})
	}
	return nil
}

// mute keeps a user from saying anything, in the room or not. The user is told.
func (d *decision) mute(body *subjects.MuteUser) error {
	if err := d.moderateUser(body.User); err != nil {
		return err
	}
	switch {
	case d.s.Muted(body.User):
		return nil
	case d.s.Mutes() >= subjects.MaxMutes:
		return subjects.Refuse(subjects.CodeFull, "a chat has at most %d muted", subjects.MaxMutes)
	}
	d.seal(body.User, &subjects.UserMuted{User: body.User})
	return nil
}

// unmute lifts it.
func (d *decision) unmute(body *subjects.UnmuteUser) error {
	if err := d.moderateUser(body.User); err != nil {
		return err
	}
	if d.s.Muted(body.User) {
		d.seal(body.User, &subjects.UserUnmuted{User: body.User})
	}
	return nil
}

// shadowMute has only the user see what the user says. Nobody outside the platform is
// told; moderators read it from the state.
func (d *decision) shadowMute(body *subjects.ShadowMuteUser) error {
	if err := d.moderateUser(body.User); err != nil {
		return err
	}
	switch {
	case d.s.Shadowed(body.User):
		return nil
	case d.s.Shadows() >= subjects.MaxMutes:
		return subjects.Refuse(subjects.CodeFull, "a chat has at most %d shadow-muted", subjects.MaxMutes)
	}
	d.seal(subjects.AudienceService, &subjects.UserShadowed{User: body.User})
	return nil
}

// unshadow lifts it. What was said meanwhile stays with who said it.
func (d *decision) unshadow(body *subjects.UnshadowUser) error {
	if err := d.moderateUser(body.User); err != nil {
		return err
	}
	if d.s.Shadowed(body.User) {
		d.seal(subjects.AudienceService, &subjects.UserUnshadowed{User: body.User})
	}
	return nil
}

func (d *decision) moderateUser(user string) error {
	if err := d.moderate(); err != nil {
		return err
	}
	return d.over(user)
}

// follow takes in what happened in the room. The chat opens and closes with it.
func (d *decision) follow(fact *subjects.ChatFact) error {
	switch {
	case !d.call.System():
		return subjects.Refuse(subjects.CodeForbidden, "follow is the platform's")
	case d.s.Knows(fact):
		return nil
	}
	d.seal(subjects.AudienceService, &subjects.AccessChanged{ChatFact: *fact})
	switch {
	case fact.Fact == subjects.FactCreated && !d.s.Exists():
		d.emit(&subjects.ChatOpened{})
		if d.s.RoomClosed() { // heard of first
			d.emit(&subjects.ChatClosed{})
		}
	case fact.Fact == subjects.FactClosed && d.s.Exists() && !d.s.Closed():
		d.emit(&subjects.ChatClosed{})
	}
	return nil
}
