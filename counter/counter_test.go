package counter

import (
	"reflect"
	"testing"
)

func TestSet(t *testing.T) {
	var s, other Set
	if s.Rows() != nil {
		t.Error("an empty set has rows")
	}
	c := s.Of("flow", "packets")
	c.Add(2)
	s.Of("flow", "packets").Add(3)
	if c.Value() != 5 || s.Of("flow", "packets") != c {
		t.Errorf("one counter for one name: %d", c.Value())
	}
	s.Of("flow", "never") // is made and stays at zero
	s.Of("decode", "packets").Add(1)
	other.Of("flow", "packets").Add(10)
	other.Of("capture", "files").Add(1)
	s.Merge(&other)
	s.Merge(new(Set))
	want := []Row{{"capture", "files", 1}, {"decode", "packets", 1}, {"flow", "packets", 15}}
	if got := s.Rows(); !reflect.DeepEqual(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	if c.Value() != 15 || other.Of("flow", "packets").Value() != 10 {
		t.Error("merging adds to the one and leaves the other")
	}
}
