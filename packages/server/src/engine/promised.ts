/** Calls of an object that somebody else has written: what they answer is a promise, and nothing but the promise fails. */
export function promised<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer : Promise.resolve(answer);
  } catch (error) {
    return Promise.reject(error);
  }
}
