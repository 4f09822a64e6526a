package pictures

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// usualTime is how long a picture may take where the context says nothing.
const usualTime = 30 * time.Second

// ErrNone means that no process could be asked: that may be otherwise later.
var ErrNone = errors.New("no process makes pictures")

// Client knows where pictures are made. The zero value knows nothing yet; its methods may be called by any goroutine.
type Client struct{ at atomic.Pointer[place] }

type place struct {
	socket string
	token  []byte
}

// Take says where pictures are made from now on: an item of kind ipc.StatePictures.
func (c *Client) Take(item *ipc.StateItem) error {
	if item.Gone {
		c.at.Store(nil)
		return nil
	}
	if item.Key != ipc.PicturesKey || len(item.Body) <= ipc.PicturesToken {
		return errors.New("the place where pictures are made cannot be read")
	}
	c.at.Store(&place{token: item.Body[:ipc.PicturesToken], socket: string(item.Body[ipc.PicturesToken:])})
	return nil
}

// Job is a picture to make anew.
type Job struct {
	Data     []byte
	From, To string // jpeg, png; to: webp as well
	Quality  int    // 1 to 100
}

// Make returns the picture made anew, smaller than it was; else it says why there is none.
func (c *Client) Make(ctx context.Context, job Job) ([]byte, error) {
	at := c.at.Load()
	if at == nil {
		return nil, ErrNone
	}
	if len(job.Data) > ipc.MaxPicture {
		return nil, fmt.Errorf("pictures: %d bytes are too many", len(job.Data))
	}
	ctx, cancel := context.WithTimeout(ctx, usualTime)
	defer cancel()
	conn, err := ipc.Dial(ctx, at.socket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	defer conn.Close()
	conn.TakeFDs()
	fd, err := ipc.SealedMemfd("picture", job.Data)
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	defer unix.Close(fd)
	until, _ := ctx.Deadline()
	ask := ipc.Picture{Token: at.token, From: job.From, To: job.To, Quality: job.Quality, Until: until.UnixMilli(), Data: 1}
	if err := conn.Send(ctx, 0, ask, fd); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	return receive(ctx, conn)
}

func receive(ctx context.Context, conn *ipc.Conn) ([]byte, error) {
	m, err := conn.Receive(ctx)
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	defer m.Close()
	made, ok := m.Body.(*ipc.PictureMade)
	if !ok {
		return nil, fmt.Errorf("pictures: %s is no answer", m.Body.Type())
	}
	if made.Problem != "" {
		return nil, errors.New("pictures: " + made.Problem)
	}
	fd, err := m.Take(made.Data)
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	defer unix.Close(fd)
	return ipc.ReadMemfd(fd, ipc.MaxPicture)
}
