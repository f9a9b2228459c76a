/** Logo: a V that is also a pair of antlers. A verderer looked after the king's
 * forest. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="7" fill="#0f6650" />
      <path
        d="M16 25.5 8 9M16 25.5 24 9M10.9 15H6.5M13.4 20.2H9M21.1 15h4.4M18.6 20.2H23"
        fill="none" stroke="#fff" strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round"
      />
    </svg>
  )
}
