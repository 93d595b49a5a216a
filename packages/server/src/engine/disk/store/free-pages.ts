/** How much of the store's file holds nothing: pages that LMDB uses again before it lets the file grow. */
import { stat } from "node:fs/promises";

/** LMDB's statistics of one of its trees. */
export interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** What it says of the whole file; `free` is the tree of free pages, `root` the tree of all others. */
export interface FileStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

/** The two pages that say where the trees are. */
const META_PAGES = 2;

export function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: TreeStats): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

/** Bytes of the file as far as it is used. */
export function fileBytes({ pageSize, lastPageNumber }: FileStats): number {
  return (lastPageNumber + 1) * pageSize;
}

/**
 * Bytes that can be written again without taking room from the disk.
 *
 * @param pages how many pages the tables take
 */
export async function freeInFile(path: string, stats: FileStats, pages: number): Promise<number> {
  const used = META_PAGES + pagesOf(stats.root) + pagesOf(stats.free) + pages;
  const all = fileBytes(stats);
  // Pages that were taken and given back within one commit were never written: the disk has no room for them yet.
  const { blocks } = await stat(path);
  const holes = Math.max(0, all - blocks * BLOCK_BYTES);
  return Math.max(0, all - used * stats.pageSize - holes);
}

/** In which files' sizes on the disk are counted. */
const BLOCK_BYTES = 512;
