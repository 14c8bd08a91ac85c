package edge

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tuttihq/tutti/subjects"
)

// message is one websocket message as it goes over the wire, header and payload: made once
// and written to every socket that gets it. It is never changed after it was sealed.
type message []byte

// Opcodes of RFC 6455, with the bit that says that the message is whole.
const (
	opText  = 0x81
	opClose = 0x88
	opPing  = 0x89
	opPong  = 0x8a
)

// headRoom is what the longest header of a server's message takes.
const headRoom = 10

// draft begins a message whose payload is appended; seal ends it.
func draft(capacity int) []byte { return make([]byte, headRoom, headRoom+capacity) }

// seal puts the header before the payload of a draft.
func seal(op byte, buf []byte) message {
	n := len(buf) - headRoom
	switch {
	case n < 126:
		buf = buf[headRoom-2:]
		buf[1] = byte(n)
	case n < 1<<16:
		buf = buf[headRoom-4:]
		buf[1] = 126
		binary.BigEndian.PutUint16(buf[2:], uint16(n))
	default:
		buf = buf[headRoom-10:]
		buf[1] = 127
		binary.BigEndian.PutUint64(buf[2:], uint64(n))
	}
	buf[0] = op
	return message(buf)
}

// encode makes a message of a frame.
func encode(f *subjects.ServerFrame) (message, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("edge: encode %s frame: %w", f.Type, err)
	}
	return seal(opText, append(draft(len(data)), data...)), nil
}

// closing makes the message that ends a socket.
func closing(code subjects.CloseCode, reason string) message {
	const most = 123 // a control message has 125 bytes, two of which are the code
	if len(reason) > most {
		reason = reason[:most]
	}
	buf := binary.BigEndian.AppendUint16(draft(2+len(reason)), uint16(code))
	return seal(opClose, append(buf, reason...))
}

// control makes a ping or pong.
func control(op byte, payload string) message {
	return seal(op, append(draft(len(payload)), payload...))
}

// eventMessage frames the public part of a commit, whose bytes go out as the log has them.
func eventMessage(ch subjects.Channel, epoch, prev, rev uint64, at int64, public []byte) message {
	buf := draft(128 + len(ch) + len(public))
	buf = append(append(buf, `{"type":"evt","channel":"`...), ch...)
	buf = strconv.AppendUint(append(buf, `","epoch":`...), epoch, 10)
	buf = strconv.AppendUint(append(buf, `,"prev":`...), prev, 10)
	buf = strconv.AppendUint(append(buf, `,"rev":`...), rev, 10)
	buf = strconv.AppendInt(append(buf, `,"at":`...), at, 10)
	buf = append(append(buf, `,"public":`...), public...)
	return seal(opText, append(buf, '}'))
}
