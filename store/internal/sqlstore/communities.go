package sqlstore

import (
	"bytes"
	"fmt"
	"time"

	"github.com/metagov/gateway-go/store"
)

const communityCols = `slug, name, created, rev, settings`

func scanCommunity(r Row) store.Community {
	return store.Community{Slug: r.Text(0), Name: r.Text(1), Created: r.Time(2), Rev: r.Int(3), Settings: r.Bytes(4)}
}

// PutCommunity implements store.Tx.
func (t *Tx) PutCommunity(c store.Community) error {
	if t.shared != nil {
		delete(t.shared.communities, c.Slug)
	}
	return t.put("put community", c.Rev,
		`INSERT INTO communities (slug, name, created, settings, rev) VALUES ($1, $2, $3, $4, 1) ON CONFLICT DO NOTHING`,
		`UPDATE communities SET name = $2, created = $3, settings = $4, rev = rev + 1 WHERE slug = $1 AND rev = $5`,
		c.Slug, c.Name, micros(c.Created), c.Settings)
}

// Community implements store.Tx.
func (t *Tx) Community(slug string) (store.Community, error) {
	c, err := t.shared.community(slug, func() (store.Community, error) {
		return one(t, "community", scanCommunity, `SELECT `+communityCols+` FROM communities WHERE slug = $1`, slug)
	})
	c.Settings = bytes.Clone(c.Settings)
	return c, err
}

// Communities implements store.Tx.
func (t *Tx) Communities(after string, limit int) ([]store.Community, error) {
	return list(t, scanCommunity, `SELECT `+communityCols+` FROM communities WHERE slug `+past(after)+` $1 ORDER BY slug LIMIT $2 + 0`, after, bound(limit))
}

const instanceCols = `id, community, plugin, name, platform_id, status, reason, created, updated, rev, config, sealed`

func scanInstance(r Row) store.Instance {
	return store.Instance{
		ID: r.Text(0), Community: r.Text(1), Plugin: r.Text(2), Name: r.Text(3), PlatformID: r.Text(4),
		Status: r.Text(5), Reason: r.Text(6), Created: r.Time(7), Updated: r.Time(8), Rev: r.Int(9),
		Config: r.Bytes(10), Sealed: r.Bytes(11),
	}
}

// PutInstance implements store.Tx.
func (t *Tx) PutInstance(i store.Instance) error {
	t.changeInstances()
	return t.put("put instance", i.Rev,
		`INSERT INTO instances (id, community, plugin, name, platform_id, status, reason, created, updated, config, sealed, rev)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1) ON CONFLICT DO NOTHING`,
		`UPDATE instances SET community = $2, plugin = $3, name = $4, platform_id = $5, status = $6, reason = $7,
		 created = $8, updated = $9, config = $10, sealed = $11, rev = rev + 1 WHERE id = $1 AND rev = $12`,
		i.ID, i.Community, i.Plugin, i.Name, i.PlatformID, i.Status, i.Reason, micros(i.Created), micros(i.Updated), i.Config, i.Sealed)
}

// Instance implements store.Tx.
func (t *Tx) Instance(id string) (store.Instance, error) {
	return one(t, "instance", scanInstance, `SELECT `+instanceCols+` FROM instances WHERE id = $1`, id)
}

// InstanceByName implements store.Tx.
func (t *Tx) InstanceByName(community, name string) (store.Instance, error) {
	return one(t, "instance", scanInstance, `SELECT `+instanceCols+` FROM instances WHERE community = $1 AND name = $2`, community, name)
}

// Instances implements store.Tx.
func (t *Tx) Instances(community string, limit int) ([]store.Instance, error) {
	return list(t, scanInstance, `SELECT `+instanceCols+` FROM instances WHERE community = $1 ORDER BY name LIMIT $2 + 0`, community, bound(limit))
}

// InstancesByPlatform implements store.Tx.
func (t *Tx) InstancesByPlatform(plugin, platformID string, limit int) ([]store.Instance, error) {
	if platformID == "" {
		return nil, nil // what stands for nothing is nobody's
	}
	p := platform{plugin, platformID, bound(limit)}
	return t.shared.byPlatform(p, func() ([]store.Instance, error) {
		return list(t, scanInstance, `SELECT `+instanceCols+` FROM instances WHERE plugin = $1 AND platform_id = $2 ORDER BY id LIMIT $3 + 0`, p.plugin, p.id, p.limit)
	})
}

// InstancesByPlugin implements store.Tx.
func (t *Tx) InstancesByPlugin(plugin, after string, limit int) ([]store.Instance, error) {
	return list(t, scanInstance, `SELECT `+instanceCols+` FROM instances WHERE plugin = $1 AND id `+past(after)+` $2 ORDER BY id LIMIT $3 + 0`, plugin, after, bound(limit))
}

// DeleteInstance implements store.Tx.
func (t *Tx) DeleteInstance(id string) error {
	if id == "" {
		return nil // tasks and echoes of no instance are not this one's
	}
	t.changeInstances()
	t.changeRefs()
	for _, query := range []string{
		`DELETE FROM instances WHERE id = $1`,
		`DELETE FROM state WHERE instance = $1`,
		`DELETE FROM tasks WHERE instance = $1 AND instance <> ''`,
		`DELETE FROM refs WHERE instance = $1`,
		`DELETE FROM echoes WHERE instance = $1`,
	} {
		if err := t.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}

// State implements store.Tx.
func (t *Tx) State(instance, key string) (value []byte, rev int64, err error) {
	err = t.c.Query(`SELECT rev, value FROM state WHERE instance = $1 AND key = $2`, func(r Row) error {
		rev, value = r.Int(0), r.Bytes(1)
		return nil
	}, instance, key)
	return value, rev, err
}

// PutState implements store.Tx. Revisions come from a counter, so that a value that was deleted and written anew is not
// taken for the one before.
func (t *Tx) PutState(instance, key string, value []byte, rev int64) error {
	_, have, err := t.State(instance, key)
	if err != nil {
		return err
	}
	if have != rev {
		return fmt.Errorf("put state: %w", store.ErrConflict)
	}
	if value == nil {
		return t.exec(`DELETE FROM state WHERE instance = $1 AND key = $2`, instance, key)
	}
	if rev, err = t.next(1); err != nil {
		return err
	}
	return t.exec(`INSERT INTO state (instance, key, rev, value) VALUES ($1, $2, $3, $4)
		ON CONFLICT (instance, key) DO UPDATE SET rev = excluded.rev, value = excluded.value`, instance, key, rev, value)
}

// PutTicket implements store.Tx.
func (t *Tx) PutTicket(k store.Ticket) error {
	return t.must("put ticket", `INSERT INTO tickets (kind, id, until, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, k.Kind, k.ID, micros(k.Until), k.Data)
}

// TakeTicket implements store.Tx.
func (t *Tx) TakeTicket(kind, id string, now time.Time) (store.Ticket, error) {
	k, err := one(t, "ticket", func(r Row) store.Ticket {
		return store.Ticket{Kind: kind, ID: id, Until: r.Time(0), Data: r.Bytes(1)}
	}, `SELECT until, data FROM tickets WHERE kind = $1 AND id = $2 AND until > $3`, kind, id, micros(now))
	if err != nil {
		return store.Ticket{}, err
	}
	return k, t.exec(`DELETE FROM tickets WHERE kind = $1 AND id = $2`, kind, id)
}

// PruneTickets implements store.Tx.
func (t *Tx) PruneTickets(now time.Time, limit int) (int, error) {
	n, err := t.c.Exec(`DELETE FROM tickets WHERE (kind, id) IN (SELECT kind, id FROM tickets WHERE until <= $1 ORDER BY until LIMIT $2 + 0)`, micros(now), bound(limit))
	return int(n), err
}
