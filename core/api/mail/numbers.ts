declare const unit: unique symbol
type Branded<B extends string> = number & { readonly [unit]: B }
/** Numbers of different kinds do not mix. */
export type Uid = Branded<'uid'>
/** Only views and wire know it. */
export type Seq = Branded<'seq'>
/** 1 … 2^53-1. A store whose numbers are larger keeps them as a private column and lets the table number. */
export type Modseq = Branded<'modseq'>
/** Index into `Rows.flagSets`; equal flags have equal ids, so a column holds any number of keywords. */
export type FlagSetId = Branded<'flags'>
/** A row of one generation; sequence number = row + 1. */
export type Row = Branded<'row'>
