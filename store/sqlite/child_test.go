package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// childFile names, in the environment, the file on which this program works as another program's child.
const childFile = "GATEWAY_SQLITE_TEST_FILE"

// child appends events for ever, from several goroutines, and prints each after it was acknowledged. It is what this
// program does when it is started by startChild; TestMain asks first.
func child() bool {
	path := os.Getenv(childFile)
	if path == "" {
		return false
	}
	s, err := Open(path)
	if err != nil {
		fmt.Println("error:", err)
		return true
	}
	fmt.Println("open")
	limit, _ := strconv.Atoi(os.Getenv(childFile + "_N"))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; limit == 0 || i < limit; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)
				err := s.Update(context.Background(), func(tx store.Tx) error {
					if _, err := tx.Accept(store.Delivery{ID: id, Plugin: "p", Fact: id, At: t0}); err != nil {
						return err
					}
					_, _, err := tx.Append(store.Event{ID: id, At: t0})
					return err
				})
				mu.Lock()
				if err != nil {
					fmt.Println("error:", err)
				} else {
					fmt.Println(id)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		fmt.Println("error:", err)
	}
	return true
}

type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func startChild(t *testing.T, path string, limit int) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path, childFile+"_N="+strconv.Itoa(limit))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return &process{cmd, bufio.NewScanner(out)}
}

// lines reads what the child acknowledged, up to n lines, or to the end.
func (p *process) lines(t *testing.T, n int) []string {
	var out []string
	for (n == 0 || len(out) < n) && p.out.Scan() {
		require.False(t, strings.HasPrefix(p.out.Text(), "error"), p.out.Text())
		if line := p.out.Text(); line != "open" && strings.Count(line, "-") == 2 {
			out = append(out, line)
		}
	}
	return out
}

// requireWhole checks that every acknowledged event is there with its delivery, that none is there without, and that the
// numbers have no gaps.
func requireWhole(t *testing.T, path string, acknowledged []string) {
	t.Helper()
	s, err := Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	there := map[string]bool{}
	require.NoError(t, s.View(context.Background(), func(tx store.Tx) error {
		es, err := tx.Events(store.EventQuery{}, 1_000_000)
		for i, e := range es {
			require.EqualValues(t, i+1, e.Seq)
			there[e.ID] = true
			_, err := tx.Delivery(e.ID)
			require.NoError(t, err)
		}
		last, _ := tx.LastSeq()
		require.EqualValues(t, len(es), last)
		return err
	}))
	for _, id := range acknowledged {
		require.True(t, there[id], "%s was acknowledged", id)
	}
	n, err := s.group.w.number("SELECT count(*) FROM deliveries")
	require.NoError(t, err)
	require.EqualValues(t, len(there), n)
	ok, err := s.group.w.number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")
	require.NoError(t, err)
	require.EqualValues(t, 1, ok)
}

func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var acknowledged []string
	for round := range 4 {
		p := startChild(t, path, 0)
		acknowledged = append(acknowledged, p.lines(t, 50+round*130)...)
		require.NoError(t, p.cmd.Process.Kill())
		acknowledged = append(acknowledged, p.lines(t, 0)...)
		_ = p.cmd.Wait()
		requireWhole(t, path, acknowledged)
	}
}

// Programs that start on one new file at once make its tables once, and then take turns.
func TestManyPrograms(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), "x.db")
		var ps []*process
		for range 4 {
			ps = append(ps, startChild(t, path, 10))
		}
		var acknowledged []string
		for _, p := range ps {
			acknowledged = append(acknowledged, p.lines(t, 0)...)
			require.NoError(t, p.cmd.Wait())
		}
		require.Len(t, acknowledged, 4*8*10)
		requireWhole(t, path, acknowledged)
	}
}

// Stores of one program on one file are as good as programs.
func TestManyStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			s, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 20 {
				if err := s.Update(context.Background(), func(tx store.Tx) error {
					id := fmt.Sprint(i, "-", j)
					if _, err := tx.Accept(store.Delivery{ID: id, At: t0}); err != nil {
						return err
					}
					_, _, err := tx.Append(store.Event{ID: id, At: t0})
					return err
				}); err != nil {
					t.Error(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	requireWhole(t, path, nil)
}
