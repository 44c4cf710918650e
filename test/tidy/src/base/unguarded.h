// rule: guard
int sk_unguarded(void);
