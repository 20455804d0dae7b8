/*
 * upcall-host: the command upcall, which is in the library that it is linked
 * with, a libws2_32 that has the command beside everything else. Providers
 * written in C find the library in it that they are linked with.
 */
void upcall_main(void);

int main(void)
{
	upcall_main();
	return 0;
}
