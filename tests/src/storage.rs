//! `LocalStorage` of an origin as another script of it would fill, read and empty it: expressions for the `value` of a
//! page in any browser, on a page of that origin that may be the one under test or another (`/404.html` has no program).

/// The key of what fills it. One unit long, so that the last unit can be had.
const FILLING: &str = "x";

/// Where the page keeps what was last known.
pub const LAST_KNOWN: &str = "localStorage.getItem('monkeytown.last-known.v3')";

/// UTF-16 units of all keys and values.
pub const USED_UNITS: &str =
    "Object.entries(localStorage).reduce((units, [key, value]) => units + key.length + value.length, 0)";

/// Takes away what filled it.
pub const EMPTY: &str = "localStorage.removeItem('x') ?? true";

/// Fills it to the last unit, then gives back `leave_units`. Comes to the units in use.
#[must_use]
pub fn fill(leave_units: usize) -> String {
    format!(
        "(() => {{
            const key = '{FILLING}';
            let text = localStorage.getItem(key) ?? '';
            for (let step = 1 << 22; step > 0;) {{
                const longer = text + 'x'.repeat(step);
                try {{
                    localStorage.setItem(key, longer);
                    text = longer;
                }} catch (why) {{
                    if (!['QuotaExceededError', 'NS_ERROR_DOM_QUOTA_REACHED'].includes(why.name)) throw why;
                    step >>= 1;
                }}
            }}
            if (text.length < {leave_units}) throw new Error(`only ${{text.length}} units are the filling's`);
            localStorage.setItem(key, text.slice(0, text.length - {leave_units}));
            return {USED_UNITS};
        }})()"
    )
}
