package gateway

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// What runs on a hand is answered, and the hand is used again; one that ended its goroutine or was left behind is not, and none is there when
// nothing is on its way. The bubble fails if a goroutine stays.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s hands
		s.begin()
		s.begin()
		first := s.get()
		first.work <- func() answer { return answer{r: Reply{Status: 201}} }
		require.Equal(t, 201, (<-first.done).r.Status)
		s.put(first)
		again := s.get()
		require.Same(t, first, again)
		other := s.get()
		require.NotSame(t, first, other)

		again.work <- func() answer { runtime.Goexit(); return answer{} }
		require.True(t, (<-again.done).over, "whoever waits hears of it")

		come := make(chan struct{})
		other.work <- func() answer { <-come; return answer{} }
		close(other.work) // left behind
		s.end()

		third := s.get()
		third.work <- func() answer { return answer{} }
		<-third.done
		s.put(third)
		require.Len(t, s.idle, 1)
		s.end()
		require.Empty(t, s.idle)
		close(come)
	})
}
