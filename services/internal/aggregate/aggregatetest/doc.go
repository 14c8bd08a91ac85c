// Package aggregatetest tries the kernel: Tally is an aggregate small enough to reason
// about, Memory a journal that lives in the process and fails on demand, and RunJournal
// the suite that every journal passes.
package aggregatetest
