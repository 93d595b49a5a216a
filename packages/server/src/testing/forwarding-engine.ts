/** An engine for tests that passes every call on to another; what it is to do differently, it overrides. */
import type { ChannelName, Position } from "@fanfare/protocol";
import type {
  AnyDraft,
  Appended,
  ChannelState,
  Engine,
  ListedChannel,
  Listened,
  LogListener,
  Page,
  ReadLimit,
  Retention,
} from "../engine/engine.js";

export class ForwardingEngine<Inner extends Engine = Engine> implements Engine {
  protected readonly inner: Inner;
  readonly durable: boolean;
  readonly lossy: boolean;

  constructor(inner: Inner) {
    this.inner = inner;
    this.durable = inner.durable;
    this.lossy = inner.lossy;
  }

  append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    return this.inner.append(channel, draft, retention);
  }
  state(channel: ChannelName): Promise<ChannelState> {
    return this.inner.state(channel);
  }
  listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    return this.inner.listen(channel, listener);
  }
  unlisten(channel: ChannelName, listener: LogListener): void {
    this.inner.unlisten(channel, listener);
  }
  read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    return this.inner.read(channel, after, limit);
  }
  heads(channels: readonly ChannelName[]): Promise<Position[]> {
    return this.inner.heads(channels);
  }
  list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    return this.inner.list(after, limit);
  }
  signal(topic: string, json: string): Promise<void> {
    return this.inner.signal(topic, json);
  }
  onSignal(topic: string, listener: (json: string) => void): () => void {
    return this.inner.onSignal(topic, listener);
  }
  putSession(hash: string, json: string, ttlMs: number): Promise<void> {
    return this.inner.putSession(hash, json, ttlMs);
  }
  renewSession(hash: string, ttlMs: number): Promise<boolean> {
    return this.inner.renewSession(hash, ttlMs);
  }
  takeSession(hash: string): Promise<string | null> {
    return this.inner.takeSession(hash);
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}
