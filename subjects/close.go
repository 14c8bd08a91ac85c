package subjects

// CloseCode is the code that a socket is closed with. It says whether to come back.
type CloseCode int

// Close codes. 1000 to 1015 are the protocol's own (RFC 6455); 4000 to 4499 invite the
// client to come back, 4500 to 4999 do not.
const (
	CloseNormal   CloseCode = 1000 // the client asked for it
	CloseTooLarge CloseCode = 1009 // a message past MaxFrameBytes
	CloseRestart  CloseCode = 1012 // the server goes down or moves: come back at once, another may be there

	CloseSlow        CloseCode = 4000 // the client reads too slowly, even for snapshots alone
	CloseSilent      CloseCode = 4001 // nothing was heard of the client, not even an answer to a ping
	CloseNoHello     CloseCode = 4002 // the first hello took too long
	CloseExpired     CloseCode = 4003 // the access token has expired: come back with a fresh one
	CloseFlooding    CloseCode = 4004 // far too many frames: come back after a pause
	CloseUnavailable CloseCode = 4005 // something behind the edge does not answer: come back after a pause
	CloseFull        CloseCode = 4006 // this edge has as many connections as it takes: come back after a pause

	CloseMalformed       CloseCode = 4500 // too many frames that are none
	CloseUnauthenticated CloseCode = 4501 // the token is not valid: log in again
	CloseOtherUser       CloseCode = 4502 // a hello for another user than the connection's: open another connection
	CloseInternal        CloseCode = 4503 // a defect; the server's log has the details
)

// ComeBack reports whether a client should connect again. Codes that this release does
// not know count by their range; a connection that broke without a code (1006) should be
// made again.
func (c CloseCode) ComeBack() bool {
	switch {
	case c == CloseNormal, c == CloseTooLarge, c == 1002, c == 1003, c == 1007, c == 1008:
		return false
	case c >= 4500:
		return false
	}
	return true
}

// String names the code.
func (c CloseCode) String() string {
	if name, ok := closeNames[c]; ok {
		return name
	}
	return "unknown"
}

var closeNames = map[CloseCode]string{
	CloseNormal: "normal", CloseTooLarge: "too_large", CloseRestart: "restart",
	CloseSlow: "slow", CloseSilent: "silent", CloseNoHello: "no_hello", CloseExpired: "expired",
	CloseFlooding: "flooding", CloseUnavailable: "unavailable", CloseFull: "full",
	CloseMalformed: "malformed", CloseUnauthenticated: "unauthenticated",
	CloseOtherUser: "other_user", CloseInternal: "internal",
}

// CloseCodes lists every code that a server closes with, in no order.
func CloseCodes() []CloseCode {
	out := make([]CloseCode, 0, len(closeNames))
	for c := range closeNames {
		out = append(out, c)
	}
	return out
}
