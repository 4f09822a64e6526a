package route

import (
	"math"
	"strings"
)

// noRank is worse than the rank of any location.
const noRank = math.MaxInt32

// cell lists locations by rank, best first. plain ones need only their conditions checked, costly
// ones an expression as well.
type cell struct{ plain, costly []int32 }

func (c *cell) add(rank int32, costly bool) {
	list := &c.plain
	if costly {
		list = &c.costly
	}
	if n := len(*list); n > 0 && (*list)[n-1] == rank {
		return // two hosts of one location share the bucket
	}
	*list = append(*list, rank)
}

// node is a node of a radix tree over literal path texts. Its text continues its parent's.
type node struct {
	text     string
	prefix   cell // locations whose literal ends here and may be followed by anything
	exact    cell // locations whose path is this literal
	first    []byte
	children []*node
	// bestPlain and bestCostly are the best ranks in this node and below.
	bestPlain, bestCostly int32
}

func newNode(text string) *node {
	return &node{text: text, bestPlain: noRank, bestCostly: noRank}
}

// insert adds a location under a literal. Ranks come in ascending order.
func (n *node) insert(literal string, exact bool, rank int32, costly bool) {
	for {
		n.improve(rank, costly)
		if literal == "" {
			if exact {
				n.exact.add(rank, costly)
				return
			}
			n.prefix.add(rank, costly)
			return
		}
		n, literal = n.descend(literal)
	}
}

func (n *node) improve(rank int32, costly bool) {
	if costly {
		n.bestCostly = min(n.bestCostly, rank)
		return
	}
	n.bestPlain = min(n.bestPlain, rank)
}

// descend returns the child that shares text with the literal, made or split as needed, and what is
// left of the literal behind it.
func (n *node) descend(literal string) (*node, string) {
	at := strings.IndexByte(string(n.first), literal[0])
	if at < 0 {
		child := newNode(literal)
		n.first = append(n.first, literal[0])
		n.children = append(n.children, child)
		return child, ""
	}
	child := n.children[at]
	shared := 0
	for shared < len(child.text) && shared < len(literal) && child.text[shared] == literal[shared] {
		shared++
	}
	if shared < len(child.text) {
		parent := newNode(child.text[:shared])
		parent.bestPlain, parent.bestCostly = child.bestPlain, child.bestCostly
		parent.first, parent.children = []byte{child.text[shared]}, []*node{child}
		child.text = child.text[shared:]
		n.children[at] = parent
		child = parent
	}
	return child, literal[shared:]
}

// child returns the child whose text begins with c, nil if there is none.
func (n *node) child(c byte) *node {
	for i, first := range n.first {
		if first == c {
			return n.children[i]
		}
	}
	return nil
}
