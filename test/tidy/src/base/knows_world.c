// rule: names
#ifdef SK_TEST
int sk_hook(void);
#endif
