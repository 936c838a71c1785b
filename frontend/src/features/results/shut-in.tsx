/** A page that somebody else made, in a frame with an origin of its own: it reaches neither this page nor the network. */
export function ShutIn({ title, address }: { title: string; address: string }) {
  return (
    <>
      <iframe
        title={title}
        src={address}
        sandbox="allow-scripts allow-popups"
        className="h-[75dvh] w-full rounded border border-line bg-white"
      />
      <p className="mt-1.5 text-xs text-ink-soft">
        Shown without the network, so parts that it would load stay empty.{" "}
        <a href={address} target="_blank" rel="noreferrer" className="text-accent underline">
          Open it alone
        </a>
      </p>
    </>
  );
}
