package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// pool holds the connections of Views. They are opened when they are first needed, up to a bound.
type pool struct {
	o    Options
	idle chan *conn // holds one value a connection that may exist; nil is one that does not yet
}

func newPool(o Options) *pool {
	p := &pool{o: o, idle: make(chan *conn, o.Readers)}
	for range o.Readers {
		p.idle <- nil
	}
	return p
}

// get waits for a connection until ctx ends.
func (p *pool) get(ctx context.Context) (*conn, error) {
	var c *conn
	select {
	case c = <-p.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// The select picks at random when both are ready.
	if err := ctx.Err(); err != nil {
		p.idle <- c
		return nil, err
	}
	if c != nil {
		return c, nil
	}
	c, err := connect(p.o.dsn, append(settings(p.o),
		"cache_size = -16384", // 16 MiB each, for the upper levels of large indexes; readers share the system's cache of the file
		"query_only = ON",     // the second guard; the first are the verbs
	))
	if err != nil {
		p.idle <- nil
		return nil, fmt.Errorf("open a connection to read: %w", err)
	}
	c.readOnly = true
	return c, nil
}

func (p *pool) put(c *conn) { p.idle <- c }

// close waits for no one: the caller has made sure that nobody reads.
func (p *pool) close() error {
	var errs []error
	for range p.o.Readers {
		if c := <-p.idle; c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}
