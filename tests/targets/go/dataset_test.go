// Rows that are put, replaced, deleted, found and compacted.

package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

const testDim = 16

// filled is a dataset in which every component of row i is i.
func filled(rows int) *Dataset {
	dataset := newDataset("d", testDim, 8, 32)
	ids, vectors := make([]RowID, rows), make([]float32, 0, rows*testDim)
	for row := range rows {
		ids[row].number = int64(row)
		vectors = append(vectors, slices.Repeat([]float32{float32(row)}, testDim)...)
	}
	dataset.put(ids, vectors)
	for dataset.indexSome() {
	}
	return dataset
}

func (d *Dataset) nearestTo(value float32) int64 {
	return d.search(slices.Repeat([]float32{value}, testDim), 1)[0].id.number
}

func TestDistance(t *testing.T) {
	for dim := range 40 {
		a, b, sum := make([]float32, dim), make([]float32, dim), float32(0)
		for i := range a {
			a[i], b[i] = rand.Float32(), rand.Float32()
			sum += (a[i] - b[i]) * (a[i] - b[i])
		}
		if found := distance(a, b); found-sum > 1e-4 || sum-found > 1e-4 {
			t.Errorf("%d components: %v instead of %v", dim, found, sum)
		}
	}
}

func BenchmarkDistance3072(b *testing.B) {
	x, y := make([]float32, 3072), make([]float32, 3072)
	for b.Loop() {
		distance(x, y)
	}
}

func TestTheNearestAreKept(t *testing.T) {
	values := rand.Perm(1000)
	near := nearest{k: 7}
	for row, value := range values {
		near.add(row, float32(value))
	}
	for rank, found := range near.found {
		if int(found.distance) != rank || values[found.row] != rank {
			t.Errorf("at %d: %v", rank, found)
		}
	}
}

func TestLinksAreEarlierRows(t *testing.T) {
	dataset := filled(200)
	for row := range 200 {
		links := slices.Clone(dataset.rows.graph.links(row))
		known := slices.DeleteFunc(links, func(link int32) bool { return link < 0 })
		slices.Sort(known)
		if len(known) != min(row, 8) || len(slices.Compact(known)) != len(known) || len(known) > 0 && int(known[len(known)-1]) >= row {
			t.Fatalf("row %d: %v", row, links)
		}
	}
}

func TestDeadRowsAreNotFoundAndCompactionDropsThem(t *testing.T) {
	dataset := filled(400)
	for id := range int64(112) {
		if found, err := dataset.delete(RowID{number: id + 100}); !found || err != nil {
			t.Fatal(id, err)
		}
	}
	if found, _ := dataset.delete(RowID{number: 100}); found {
		t.Error("deleted twice")
	}
	if found := dataset.nearestTo(150); found != 99 {
		t.Errorf("the nearest living row: %d", found)
	}
	if stats := dataset.stats(); stats.live != 288 || stats.dead != 112 || stats.nodes != 400 || stats.tombstoneBytes() == 0 {
		t.Errorf("%+v", stats)
	}
	if old, _ := dataset.compact(full); old == nil {
		t.Error("nothing was compacted")
	}
	if stats := dataset.stats(); stats.live != 288 || stats.dead != 0 || stats.nodes != 288 || stats.waiting != 0 || stats.tombstoneBytes() != 0 {
		t.Errorf("%+v", stats)
	}
	if found := dataset.nearestTo(300); found != 300 {
		t.Errorf("afterwards: %d", found)
	}
	if old, _ := dataset.compact(full); old != nil {
		t.Error("compacted twice")
	}
}

func TestBadCompactionsAreAsBadAsTheySay(t *testing.T) {
	dataset := filled(400)
	for id := range int64(112) {
		dataset.delete(RowID{number: id * 3})
	}
	if old, _ := dataset.compact(pinned); old != nil {
		t.Error("a slab without a live row was found")
	}
	dataset.compact(weak)
	if stats := dataset.stats(); stats.live != 288 || stats.dead != 84 {
		t.Errorf("%+v", stats)
	}
}

func TestAnIDPutTwiceIsOneRow(t *testing.T) {
	dataset := filled(50)
	dataset.put([]RowID{{number: 7}}, slices.Repeat([]float32{1000}, testDim))
	if stats := dataset.stats(); stats.live != 50 || stats.dead != 1 || stats.waiting != 1 || dataset.nearestTo(1000) != 49 {
		t.Errorf("accepted, not indexed: %+v", stats)
	}
	for dataset.indexSome() {
	}
	if dataset.nearestTo(1000) != 7 || len(dataset.rows.byID) != 50 {
		t.Error("not replaced")
	}
	for i, row := range []int{50, 50, 7, 51} {
		if found, _ := dataset.deleteRow(row); found != (i == 0) {
			t.Error("row by number", row)
		}
	}
}

func TestWhatHappensDuringACompactionIsNotLost(t *testing.T) {
	dataset := filled(100)
	old := dataset.rows
	dataset.delete(RowID{number: 1})
	kept, fresh := old.kept(full), newRows(testDim, 8, 32)
	for _, row := range kept {
		fresh.pushAs(old, row)
	}
	dataset.delete(RowID{number: 2})
	dataset.put([]RowID{{number: 3}, {number: 500}}, slices.Repeat([]float32{5}, 2*testDim))
	fresh.catchUp(old, kept)
	if live := fresh.vectors.count - fresh.deads; live != 99 || len(fresh.byID) != 99 {
		t.Error(live, len(fresh.byID))
	}
	if row := fresh.byID[RowID{number: 3}]; fresh.vectors.at(int(row))[0] != 5 {
		t.Error("a row that was replaced meanwhile is the old one")
	}
	if _, there := fresh.byID[RowID{number: 2}]; there {
		t.Error("a row that was deleted meanwhile is there")
	}
}
