/** Logo: a V that is also a pair of antlers. A verderer looked after the king's
 * forest. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="7" fill="#0f6650" />
      <path
        d="M16 26 8 7.5M16 26 24 7.5M11 14.5 13.5 9M21 14.5 18.5 9"
        fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round"
      />
    </svg>
  )
}
