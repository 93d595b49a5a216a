/**
 * The broadcast across the top. Its strip is always there, so that nothing moves when one comes; a long text lies over what
 * is below. The newest message holds, also for a window that comes later.
 */
import { useEffect, useState } from "react";
import { newest } from "../push/calls";
import { CHANNELS, client } from "../push/fanfare";
import { type Announcement, readAnnouncement } from "../push/payloads";
import classes from "./Banner.module.css";

export function Banner() {
  const announcement = useAnnouncement();
  return (
    <div className={classes.strip} role="status" aria-label="Broadcast">
      <div className={classes.banner} data-level={announcement?.level ?? "none"}>
        {announcement ? (
          <>
            <strong>{announcement.level === "warning" ? "Warning" : "Notice"}</strong>
            <span>{announcement.text}</span>
          </>
        ) : (
          <span>Broadcasts appear here, in every window.</span>
        )}
      </div>
    </div>
  );
}

function useAnnouncement(): Announcement | null {
  const [announcement, setAnnouncement] = useState<Announcement | null>(null);
  useEffect(() => {
    const subscription = client.subscribe(
      CHANNELS.broadcast,
      (message) => setAnnouncement(readAnnouncement(message)),
      {
        snapshot: async () => {
          const message = await newest(CHANNELS.broadcast);
          setAnnouncement(message && readAnnouncement(message));
        },
      },
    );
    return () => subscription.unsubscribe();
  }, []);
  return announcement;
}
