/** Signals: messages between nodes that are not kept. Where announcements of an engine can get lost, signals can, too. */
export interface Signals {
  /**
   * Tells all nodes, this one included. @param json any JSON text
   *
   * @throws FanfareError `unavailable`
   */
  send(topic: string, json: string): Promise<void>;
  /** Hears signals on a topic, until the answer is called. */
  on(topic: string, listener: (json: string) => void): () => void;
}
