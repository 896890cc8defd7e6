package guard

import (
	"errors"
	"fmt"
	"io"
)

// ErrTooLong says that a body has more bytes than were asked for.
var ErrTooLong = errors.New("the body is too long")

// ReadAll reads a body of at most max bytes. Of a longer one it returns the first max bytes and ErrTooLong, without reading on. It
// bounds no time: the timeout of the client that the body came from does. Whoever calls closes the body.
func ReadAll(body io.Reader, max int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, max+1))
	if int64(len(raw)) > max {
		return raw[:max], fmt.Errorf("%w: more than %d bytes", ErrTooLong, max)
	}
	if err != nil {
		return raw, fmt.Errorf("reading a body: %w", err)
	}
	return raw, nil
}
