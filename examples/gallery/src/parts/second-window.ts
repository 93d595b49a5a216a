/** Opens this page again, to stand beside this window: on the side with more room, over half of the screen. */
const NARROWEST = 420;
const WIDEST = 760;

/** Answers whether the browser let us. */
export function openSecondWindow(): boolean {
  const { availWidth, availHeight } = window.screen;
  const roomRight = availWidth - (window.screenX + window.outerWidth);
  const room = Math.max(roomRight, window.screenX);
  const width = Math.round(Math.min(WIDEST, Math.max(NARROWEST, room, availWidth / 2)));
  const left = roomRight >= window.screenX ? availWidth - width : 0;
  const height = Math.min(availHeight, window.outerHeight);
  const size = `popup,width=${width},height=${height},left=${left},top=${window.screenY}`;
  return window.open(location.href, "_blank", size) !== null;
}
